"""Batch progress as Dagster events, within a budget."""

import logging
import time
from collections.abc import Mapping
from typing import Literal

import dagster as dg

from ..domain.batches import BatchChunk
from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from .asset_keys import VECTORIZED_CHUNKS

logger = logging.getLogger(__name__)

EventDetail = Literal["batch", "chunk"]

# The share of a run that the events between its first and its last may cost: with those two, a run of 20 s stays within
# 1 %. An event and its log line take 3 ms on PostgreSQL. Where they take more than the 7 that one event a second may
# cost, the next waits a little longer.
_BUDGET = 0.007

# Seconds that nobody needs a sign of life for. A company with a page of text would have two events instead of one.
_A_MOMENT = 1.0

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
    """Logs an observation and a line for the first batch, the last, and those between that are due.

    The first is the first after a second, but with an interval of 0: of what is over by then, only the last is told.

    Args:
        context: of the step that vectorizes.
        partition: the key under which the observations appear.
        interval_seconds: between two events at least; 0 logs every batch, whatever it costs.
        detail: `chunk` adds the batch's chunks as a table.
    """

    def __init__(
        self, context: dg.AssetExecutionContext, partition: PartitionKey, interval_seconds: float, detail: EventDetail
    ) -> None:
        self._context = context
        self._partition = partition
        self._interval = interval_seconds
        self._detail = detail
        self._due_at = 0.0
        self._logged: BatchProgress | None = None
        self._withheld: BatchProgress | None = None
        self.count = 0
        self.seconds = 0.0
        """What the events took from the run so far."""

    def tell(self, progress: BatchProgress) -> None:
        """Log the batch now if an event is due."""
        is_early = progress.elapsed_seconds < _A_MOMENT and self._interval > 0
        if is_early or time.perf_counter() < self._due_at:
            self._withheld = progress
        else:
            self._log(progress)

    def close(self) -> None:
        """Log the last batch if that has not happened; what goes wrong is only logged, as in a callback."""
        if self._withheld is None:
            return
        try:
            self._log(self._withheld)
        except Exception:
            logger.warning("the last progress event could not be logged", exc_info=True)

    def _log(self, progress: BatchProgress) -> None:
        started, computed = time.perf_counter(), time.thread_time()
        self._withheld = None
        self._context.log_event(
            dg.AssetObservation(
                asset_key=VECTORIZED_CHUNKS, partition=str(self._partition), metadata=self._metadata(progress)
            )
        )
        self._context.log.info(f"{progress.line()} · {progress.outcomes_since(self._logged)}")
        self._logged = progress
        seconds = time.perf_counter() - started
        cost = _cost(seconds, time.thread_time() - computed, progress)
        self.count += 1
        self.seconds += cost
        self._due_at = started + max(self._interval, cost / _BUDGET) if self._interval > 0 else 0.0

    def _metadata(self, progress: BatchProgress) -> Mapping[str, dg.MetadataValue]:
        # The run page shows entries in this order, and of an observation nothing but its entries. Numbers of a run
        # under way are named apart from the totals, or both would share one plot.
        entries: dict[str, dg.MetadataValue] = {
            "progress": dg.MetadataValue.text(progress.line()),
            "outcome": dg.MetadataValue.text(progress.outcomes_since(self._logged)),
            "progress/percent": dg.MetadataValue.float(round(progress.percent, 1)),
            "progress/processed": dg.MetadataValue.int(progress.processed),
            "progress/total": dg.MetadataValue.int(progress.total),
            "progress/vectorized": dg.MetadataValue.int(progress.vectorized_count),
            "progress/superseded": dg.MetadataValue.int(progress.superseded_count),
            "progress/failed": dg.MetadataValue.int(progress.failed_count),
            "progress/truncated": dg.MetadataValue.int(progress.truncated_chunks),
            "progress/unknown_tokens": dg.MetadataValue.int(progress.unknown_tokens),
        }
        figures = {
            "elapsed_seconds": progress.elapsed_seconds,
            "chunks_per_second": progress.chunks_per_second,
            "tokens_per_second": progress.tokens_per_second,
            "recent_tokens_per_second": progress.recent_tokens_per_second,
            "seconds_a_batch": progress.seconds_a_batch,
            "recent_seconds_a_batch": progress.recent_seconds_a_batch,
            "seconds_left": progress.seconds_left,
            "seconds_left_spread": progress.seconds_left_spread,
        }
        for name, figure in figures.items():
            if figure is not None:
                entries[f"progress/{name}"] = dg.MetadataValue.float(round(figure, 1 if figure >= 10 else 3))
        if self._detail == "chunk":
            records = [_record(chunk) for chunk in progress.batch_chunks]
            entries["chunks"] = dg.MetadataValue.table(records, schema=_CHUNK_COLUMNS)
        return entries


def _cost(seconds: float, computed: float, progress: BatchProgress) -> float:
    """What an event took from the run: what this thread computed, and what it waited for longer than a batch takes.

    Until the next batch is there the embedding goes on. Where every core embeds, most of the event is waiting for one.
    """
    a_batch = progress.recent_seconds_a_batch or progress.elapsed_seconds
    return min(seconds, computed + max(seconds - a_batch, 0.0))


def _record(chunk: BatchChunk) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "chunk_id": chunk.chunk_id,
            "document": chunk.document,
            "chunk_index": chunk.chunk_index,
            "tokens": chunk.token_count,
            "outcome": chunk.outcome.value,
        }
    )
