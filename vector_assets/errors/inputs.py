"""What somebody gave that cannot be used: settings, keys, patterns, ids, questions."""

from collections.abc import Sequence

from ..translation import translate
from .family import VectorAssetsError


class InvalidSetting(VectorAssetsError):
    """A setting has a value that cannot be used."""

    def __init__(self, name: str, problem: str, fix: str) -> None:
        super().__init__(f"{name}: {problem}. {fix}")
        self.name = name


class InvalidPartitionKey(VectorAssetsError):
    """A partition key does not have the form market/doc_type/stock_code, or one of its three names is not valid."""

    FORM = "market/doc_type/stock_code, e.g. us/annual_report/AAPL or hk/announcement/00700"

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"invalid partition key {key!r}: {problem}. Write it as {self.FORM}.")
        self.key = key
        self.problem = problem


class InvalidChunkId(VectorAssetsError):
    """An id of a chunk is no UUID."""

    def __init__(self, given: object) -> None:
        super().__init__(f"invalid chunk id {given!r}. Give UUIDs, as document_chunks.id has them.")
        self.given = given


class InvalidPattern(VectorAssetsError):
    """A pattern does not have the form of a partition key, so that it can match none."""

    def __init__(self, pattern: str) -> None:
        super().__init__(
            translate(
                "invalid pattern {pattern!r}. Write a part of a partition key or several, with * for any letters, e.g. "
                "AAPL, us/ or us/*/AAPL.",
                pattern=pattern,
            )
        )
        self.pattern = pattern


class NothingMatches(VectorAssetsError):
    """No known partition matches the patterns or options of a command; `given` has them as they were typed."""

    def __init__(self, given: str, nearest: Sequence[str], any_known: bool) -> None:
        if nearest:
            fix = translate("The nearest are {names}.", names=", ".join(nearest))
        elif any_known:
            fix = translate("List the partitions with vector-assets status.")
        else:
            fix = translate("Ingest documents first: vector-assets ingest DIR.")
        super().__init__(translate("no partition matches {given}. {fix}", given=given, fix=fix))
        self.given = given


class NoDocumentHas(VectorAssetsError):
    """A search is limited to a period or a language that no document has; `option` and `name` are as typed."""

    def __init__(self, option: str, name: str, nearest: Sequence[str]) -> None:
        fix = (
            translate("The nearest are {names}.", names=", ".join(nearest))
            if nearest
            else translate("Search without it, or give it to the documents in manifest.csv.")
        )
        given = f"{option} {name}"
        super().__init__(translate("no document has {given}. {fix}", given=given, fix=fix))
        self.option = option
        self.name = name


class InvalidQuestion(VectorAssetsError):
    """A question, or the number of answers wanted, cannot be used."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(translate("{problem}. {fix}", problem=problem, fix=fix))
        self.problem = problem


class ChunkNotFound(VectorAssetsError):
    """There is no chunk of this id, or none any more."""

    def __init__(self, chunk_id: object) -> None:
        super().__init__(
            translate(
                "there is no chunk {chunk_id}: its document was changed or removed. Search again.", chunk_id=chunk_id
            )
        )
        self.chunk_id = chunk_id


class ExtraMissing(VectorAssetsError):
    """A library that not everybody needs is not installed; `extra` is what brings it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            translate(
                "{what} needs libraries that are not installed. Run pip install 'vector_assets[{extra}]'.",
                what=what,
                extra=extra,
            )
        )
        self.extra = extra


class NothingToSearch(VectorAssetsError):
    """No embedding space serves yet."""

    def __init__(self) -> None:
        super().__init__(translate("there are no vectors to search. Create them with vector-assets backfill."))
