"""Batch progress as Dagster events, within a budget."""

import logging
import time
from collections.abc import Mapping
from typing import Literal

import dagster as dg

from ..domain import BatchChunk, BatchProgress, PartitionKey
from .keys import VECTORIZED_CHUNKS

logger = logging.getLogger(__name__)

EventDetail = Literal["batch", "chunk"]

# The share of a run that the events between its first and its last may cost: with those two, a run of 20 s stays within
# 1 %. An event and its log line take about 15 ms on PostgreSQL, so at one event a second it would be exceeded; the next
# event then waits a little longer.
_BUDGET = 0.007

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

    def tell(self, progress: BatchProgress) -> None:
        """Log the batch now if an event is due."""
        if time.perf_counter() >= self._due_at:
            self._log(progress)
        else:
            self._withheld = progress

    def close(self) -> None:
        """Log the last batch if that has not happened; what goes wrong is only logged, as in a callback."""
        if self._withheld is None:
            return
        try:
            self._log(self._withheld)
        except Exception:
            logger.warning("the last progress event could not be logged", exc_info=True)

    def _log(self, progress: BatchProgress) -> None:
        started = time.perf_counter()
        self._withheld = None
        self._context.log_event(
            dg.AssetObservation(
                asset_key=VECTORIZED_CHUNKS, partition=str(self._partition), metadata=self._metadata(progress)
            )
        )
        self._context.log.info(f"{progress.line()} · {outcomes_since(self._logged, progress)}")
        self._logged = progress
        spent = time.perf_counter() - started
        self.count += 1
        self.seconds += spent
        self._due_at = started + max(self._interval, spent / _BUDGET) if self._interval > 0 else 0.0

    def _metadata(self, progress: BatchProgress) -> Mapping[str, dg.MetadataValue]:
        # The run page shows entries in this order, and of an observation nothing but its entries. Numbers of a run
        # under way are named apart from the totals, or both would share one plot.
        entries: dict[str, dg.MetadataValue] = {
            "progress": dg.MetadataValue.text(progress.line()),
            "outcome": dg.MetadataValue.text(outcomes_since(self._logged, progress)),
            "progress/percent": dg.MetadataValue.float(round(progress.percent, 1)),
            "progress/processed": dg.MetadataValue.int(progress.processed),
            "progress/total": dg.MetadataValue.int(progress.total),
            "progress/vectorized": dg.MetadataValue.int(progress.vectorized_count),
            "progress/superseded": dg.MetadataValue.int(progress.superseded_count),
            "progress/failed": dg.MetadataValue.int(progress.failed_count),
            "progress/chunks_per_second": dg.MetadataValue.float(round(progress.chunks_per_second, 1)),
        }
        if progress.seconds_left is not None:
            entries["progress/seconds_left"] = dg.MetadataValue.float(round(progress.seconds_left, 1))
        if self._detail == "chunk":
            records = [_record(chunk) for chunk in progress.batch_chunks]
            entries["chunks"] = dg.MetadataValue.table(records, schema=_CHUNK_COLUMNS)
        return entries


def outcomes_since(before: BatchProgress | None, progress: BatchProgress) -> str:
    """What became of the chunks since the last event: `ok 32 failed 0`, and superseded ones where there are any."""
    ok = progress.vectorized_count - (before.vectorized_count if before else 0)
    failed = progress.failed_count - (before.failed_count if before else 0)
    superseded = progress.superseded_count - (before.superseded_count if before else 0)
    return f"ok {ok} failed {failed}" + (f" superseded {superseded}" if superseded else "")


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
