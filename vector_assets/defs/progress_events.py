"""Batch progress as Dagster events, within a budget."""

import logging
import time
from collections.abc import Mapping
from typing import Literal

import dagster as dg

from ..domain.batches import BatchChunk
from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from ..estimates.event_budget import EventBudget
from ..translation import translate
from .run_progress import RunProgress

logger = logging.getLogger(__name__)

EventDetail = Literal["batch", "chunk"]

_CHUNK_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("chunk_id", "int"),
        dg.TableColumn("document", "string"),
        dg.TableColumn("chunk_index", "int"),
        dg.TableColumn("tokens", "int"),
        dg.TableColumn("outcome", "string"),
    ]
)


class ProgressEvents:
    """Logs an observation for the first batch, the last, and those between that are due.

    Args:
        context: of the step that vectorizes.
        partition: the key under which the observations appear.
        interval_seconds: the least time between two events; see `EventBudget`.
        detail: `chunk` adds the batch's chunks as a table.
        company: the name of the partition's company, empty where it is not known.
        run: the progress of a run over several partitions.
    """

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        partition: PartitionKey,
        interval_seconds: float,
        detail: EventDetail,
        company: str = "",
        run: RunProgress | None = None,
    ) -> None:
        self._context = context
        self._partition = partition
        self._name = f"{company} {partition.stock_code}" if company else str(partition)
        self._run = run
        self._detail = detail
        self.budget = EventBudget(interval_seconds)
        self._logged: BatchProgress | None = None
        self._withheld: BatchProgress | None = None

    def report(self, progress: BatchProgress) -> None:
        """Log the batch if an event is due."""
        if self.budget.is_due(progress, time.perf_counter()):
            self._log(progress)
        else:
            self._withheld = progress

    def close(self) -> None:
        """Log the last batch if that has not happened yet. An error is only logged, as in a callback."""
        if self._withheld is None:
            return
        try:
            self._log(self._withheld)
        except Exception:
            logger.warning(translate("the last progress event could not be logged"), exc_info=True)

    def _log(self, progress: BatchProgress) -> None:
        started, computed = time.perf_counter(), time.thread_time()
        self._withheld = None
        self._context.log_event(
            dg.AssetObservation(
                asset_key=self._context.asset_key,
                partition=str(self._partition),
                description=f"{self._name} · {progress.batch_line()}",
                metadata=self._metadata(progress),
            )
        )
        self._logged = progress
        self.budget.spend(started, time.perf_counter() - started, time.thread_time() - computed, progress)

    def _metadata(self, progress: BatchProgress) -> Mapping[str, dg.MetadataValue]:
        # The run page shows entries in this order, and of an observation nothing but its entries. The numbers of a run
        # under way have names of their own, or they would share a plot with the totals.
        entries: dict[str, dg.MetadataValue] = {
            "progress": dg.MetadataValue.text(self._line(progress)),
            "outcome": dg.MetadataValue.text(progress.outcomes_since(self._logged)),
            "progress/percent": dg.MetadataValue.float(round(progress.percent, 1)),
            **_figures(seconds_left=progress.seconds_left),
            "progress/processed": dg.MetadataValue.int(progress.processed),
            "progress/total": dg.MetadataValue.int(progress.total),
            "progress/vectorized": dg.MetadataValue.int(progress.vectorized_count),
            "progress/superseded": dg.MetadataValue.int(progress.superseded_count),
            "progress/failed": dg.MetadataValue.int(progress.failed_count),
            "progress/truncated": dg.MetadataValue.int(progress.truncated_chunks),
            "progress/unknown_tokens": dg.MetadataValue.int(progress.unknown_tokens),
            **_figures(
                elapsed_seconds=progress.elapsed_seconds,
                chunks_per_second=progress.chunks_per_second,
                tokens_per_second=progress.tokens_per_second,
                recent_tokens_per_second=progress.recent_tokens_per_second,
                seconds_a_batch=progress.seconds_a_batch,
                recent_seconds_a_batch=progress.recent_seconds_a_batch,
                seconds_left_spread=progress.seconds_left_spread,
            ),
        }
        if self._detail == "chunk":
            records = [_record(chunk) for chunk in progress.batch_chunks]
            entries["chunks"] = dg.MetadataValue.table(records, schema=_CHUNK_COLUMNS)
        return entries

    def _line(self, progress: BatchProgress) -> str:
        return self._run.line(self._partition, progress) if self._run else progress.line()


def _figures(**figures: float | None) -> Mapping[str, dg.MetadataValue]:
    """Give the figures that are known, with three decimals below 10."""
    return {
        f"progress/{name}": dg.MetadataValue.float(round(figure, 1 if figure >= 10 else 3))
        for name, figure in figures.items()
        if figure is not None
    }


def _record(chunk: BatchChunk) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "chunk_id": str(chunk.chunk_id),
            "document": chunk.document,
            "chunk_index": chunk.chunk_index,
            "tokens": chunk.token_count,
            "outcome": chunk.outcome.value,
        }
    )
