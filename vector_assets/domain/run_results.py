"""How the run of a partition ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import VectorAssetsError
from .partition_keys import PartitionKey


class FailedCheck(NamedTuple):
    """A check that did not pass: its name, what it found, and whether that is an error or a warning."""

    name: str
    words: str
    is_error: bool


@dataclass(frozen=True)
class RunResult:
    """How a partition's run ended.

    `error` says in one line why the run failed, and `cause` is the error of ours behind it, if it is one of ours.
    `metadata` is the vectors' materialization. `failed_checks` are of a run that succeeded: of one that failed, Dagster
    gives none back, though it has stored them.
    """

    partition: PartitionKey
    run_id: str
    error: str | None
    cause: VectorAssetsError | None
    metadata: Mapping[str, Any]
    failed_checks: Sequence[FailedCheck]
