"""How the run of a partition ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import VectorAssetsError
from .coverage import PartitionStatus
from .partition_keys import PartitionKey
from .reports import VectorizeReport


class FailedCheck(NamedTuple):
    """A check that did not pass: its name, what it found, and whether that is an error or a warning."""

    name: str
    words: str
    is_error: bool


@dataclass(frozen=True)
class RunResult:
    """How a partition's run ended.

    `error` says in one line why the run failed, and `cause` is the error of ours behind it, if it is one of ours.
    `report` is of the embedding and `status` of the partition after it, where the run came so far. `failed_checks` are
    of a run that succeeded: of one that failed, Dagster gives none back, though it has stored them.
    """

    partition: PartitionKey
    run_id: str
    error: str | None
    cause: VectorAssetsError | None
    report: VectorizeReport | None
    status: PartitionStatus | None
    failed_checks: Sequence[FailedCheck]
