"""The error family. Every class takes its culprit as data and writes its own message, with the mend.

VectorAssetsError
├── InvalidSetting
├── InvalidPartitionKey
├── InvalidPattern
├── NothingMatches
├── NothingToSearch
├── TooManyFailures               of a run's chunks; those that did not fail are kept
├── PartitionsFailed              some partitions of a run; the others are done
├── EmptyRange                    a run over partitions from one to another that comes before it
├── Interrupted                   somebody asked to stop
│   └── WatchingStopped           the backfill goes on
├── DaemonNotRunning              nothing that is launched would start
├── PortTaken
├── DagsterDidNotStart
├── LandingDirectoryMissing
├── InvalidManifest
├── ReaderNotStarted              the process that parses documents; no document is at fault
├── PartitionWouldShrink          nothing was deleted; --allow-shrink
├── PartitionBusy                 another run is at work on the same partition
├── DocumentError                 one document is bad: it is reported and skipped, the rest goes on
│   ├── MisplacedDocument
│   ├── UnsupportedFormat
│   ├── OutsideLandingDirectory
│   ├── UnreadableDocument
│   ├── DocumentTooLarge
│   ├── DocumentTooSlow
│   ├── EncryptedDocument
│   ├── ImageOnlyDocument
│   ├── EmptyDocument
│   ├── WrongEncoding
│   ├── NulBytes
│   └── ManifestRowWithoutFile
├── DatabaseError
│   ├── DatabaseUnreachable       it passes, unless the server refused who asked
│   │   └── DatabaseStarting
│   ├── DatabaseTooOld
│   ├── PgvectorMissing
│   ├── EmbeddedServerFailed
│   ├── DatabaseNotCreated
│   ├── DatabaseTooNew
│   ├── DatabaseFull
│   └── DatabaseFailed            it passes where something stood in the way, e.g. a deadlock
└── ModelError
    ├── ModelNotFound
    ├── InvalidModel
    ├── WeightsChanged
    ├── EmbedderDrifted           the same texts come out otherwise than they did
    ├── SpaceReplaced
    ├── FailuresOfOtherSpace      a retry would embed with another model than the one that failed
    ├── ConversionFailed          OpenVINO cannot serve the model; torch does
    ├── BadVectors                an embedder's answer that must not be stored
    ├── EmbedderBroken            the embedder fails on any text: not the chunks' fault
    └── EmbedderHung              the embedder does not answer; its thread is left behind
"""

from collections.abc import Sequence
from pathlib import Path


class VectorAssetsError(Exception):
    """Anything this project refuses or could not do; `str()` is one line with the mend.

    `passes` tells whether the same may go well a little later without anybody mending anything.
    """

    passes: bool = False


class InvalidSetting(VectorAssetsError):
    """A setting has a value that cannot be used."""

    def __init__(self, name: str, problem: str, mend: str) -> None:
        super().__init__(f"{name}: {problem}. {mend}")
        self.name = name


class InvalidPartitionKey(VectorAssetsError):
    """A partition key, or a part of one, does not have the form market/doc_type/stock_code."""

    FORM = "market/doc_type/stock_code, e.g. us/annual_report/AAPL or hk/announcement/00700"

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"invalid partition key {key!r}: {problem}. Write it as {self.FORM}.")
        self.key = key
        self.problem = problem


class InvalidPattern(VectorAssetsError):
    """A partition pattern cannot match any key."""

    def __init__(self, pattern: str) -> None:
        super().__init__(f"invalid pattern {pattern!r}. Write three parts, each a name or *, e.g. us/*/* or */*/AAPL.")
        self.pattern = pattern


class NothingMatches(VectorAssetsError):
    """No known partition is what was asked for; `what` says in which respect, e.g. "is of the market"."""

    def __init__(self, what: str, text: str, nearest: Sequence[str], any_known: bool) -> None:
        if nearest:
            hint = f"The nearest are {', '.join(nearest)}."
        elif any_known:
            hint = "Those there are: vector-assets status."
        else:
            hint = "Ingest first: vector-assets ingest DIR."
        super().__init__(f"no partition {what} {text}. {hint}")
        self.text = text


class NothingToSearch(VectorAssetsError):
    """The configured model's space holds no vectors yet."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"there are no vectors of {model!r} to search. Make them with vector-assets backfill, or set "
            "EMBEDDING_MODEL to the model that made those you have."
        )
        self.model = model


class TooManyFailures(VectorAssetsError):
    """A larger share of a run's chunks failed than may. What was committed stays."""

    def __init__(self, partition: str, failed: int, processed: int, limit: float) -> None:
        super().__init__(
            f"{failed:,} of {processed:,} chunks failed ({failed / processed:.1%}); max_failed_fraction is {limit:g}. "
            f"All other vectors are kept. See the errors with vector-assets failures {partition}, mend their cause, "
            f"then run vector-assets retry-failed {partition}."
        )
        self.partition = partition


class PartitionsFailed(VectorAssetsError):
    """Some partitions of a run over many failed; each has its reason. Those that were done stay done."""

    def __init__(self, reasons: Sequence[tuple[str, str]], tried: int, planned: int) -> None:
        named = "; ".join(f"{partition}: {reason}" for partition, reason in reasons[:3])
        more = f"; and {len(reasons) - 3:,} more" if len(reasons) > 3 else ""
        untried = f" {planned - tried:,} were not tried." if tried < planned else ""
        done = tried - len(reasons)
        super().__init__(
            f"{len(reasons):,} of {planned:,} partitions failed, {done:,} are done.{untried} {named}{more}"
        )


class EmptyRange(VectorAssetsError):
    """A run over a range of partitions has none."""

    def __init__(self, start: str, end: str) -> None:
        super().__init__(
            f"there is no partition from {start} to {end}: the second comes before the first. Ranges go in the order in"
            " which the partitions were added; swap the two, or choose the partitions one by one."
        )


class Interrupted(VectorAssetsError):
    """Somebody asked to stop, and the work stopped between two batches. `number` is the signal's."""

    def __init__(
        self, number: int, message: str = "stopped. What was committed stays; run the same command again to go on."
    ) -> None:
        super().__init__(message)
        self.number = number


class WatchingStopped(Interrupted):
    """Somebody asked to stop watching a backfill that Dagster does."""

    def __init__(self, number: int, backfill_id: str) -> None:
        super().__init__(number, f"backfill {backfill_id} goes on; see or cancel it in Dagster, at Runs > Backfills.")
        self.backfill_id = backfill_id


class DaemonNotRunning(VectorAssetsError):
    """Dagster's daemon, which starts what is launched, has given no sign of life for a while."""

    def __init__(self, waiting: str | None = None) -> None:
        what = f"so that backfill {waiting} waits for it" if waiting else "so that nothing that is launched would start"
        super().__init__(
            f"Dagster's daemon is not running, {what}. Start it with vector-assets dev (elsewhere: dagster-daemon run)"
            + ("." if waiting else ", or leave out --launch to do the work here.")
        )
        self.waiting = waiting


class PortTaken(VectorAssetsError):
    """Something else listens where Dagster's web pages should be."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(f"port {port} cannot be used ({reason}). Choose another with --port.")
        self.port = port


class DagsterDidNotStart(VectorAssetsError):
    """Dagster's webserver and daemon did not come up, or did not stay."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Dagster did not start: {reason}. Its own lines above say why; then vector-assets doctor.")


class LandingDirectoryMissing(VectorAssetsError):
    """The landing directory is not there, or is not a directory."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"landing directory {path} is missing. Create it, laid out as market/doc_type/stock_code/<file>, "
            "or point VECTOR_ASSETS_LANDING_DIR at yours."
        )
        self.path = path


class InvalidManifest(VectorAssetsError):
    """manifest.csv as a whole cannot be used."""

    def __init__(self, path: Path, problem: str, mend: str) -> None:
        super().__init__(f"{path}: {problem}. {mend}")
        self.path = path


class ReaderNotStarted(VectorAssetsError):
    """The process in which documents are parsed does not come up, so that no document can be blamed."""

    def __init__(self, executable: str, reason: str) -> None:
        super().__init__(
            f"no process to read documents in could be started ({reason}). Check memory and the number of processes, "
            f"and that {executable} -m vector_assets.ingestion.reader_worker starts without an import error."
        )


class PartitionWouldShrink(VectorAssetsError):
    """Cutting a partition's documents anew would delete more than half of its chunks. Nothing was deleted."""

    def __init__(self, partition: str, before: int, after: int) -> None:
        super().__init__(
            f"{partition} would shrink from {before:,} chunks to {after:,}, so nothing was deleted. Look whether its "
            "files are whole and readers and settings are as they should be; if it is meant, run "
            "vector-assets ingest DIR --allow-shrink, or the asset with allow_shrink in its config."
        )
        self.partition = partition
        self.before = before
        self.after = after


class PartitionBusy(VectorAssetsError):
    """Another run is at work on the same partition and space, and did not end within the wait."""

    # That may pass, but not soon: the other run does the very work that this one was for.
    def __init__(self, partition: str, holder: str, waited: float) -> None:
        super().__init__(
            f"{partition} is being vectorized by {holder} already, which did not end within {waited:g} s. Let it do "
            "the work, or cancel it and run this again."
        )
        self.partition = partition
        self.holder = holder


class DocumentError(VectorAssetsError):
    """One document cannot be used. It is reported and skipped; the others go on."""

    def __init__(self, document: str, problem: str, mend: str) -> None:
        super().__init__(f"{document}: {problem}. {mend}")
        self.document = document

    @classmethod
    def retold(cls, kind: str, document: str, message: str) -> "DocumentError":
        """An error of another process, by the name of its class and its whole message."""
        known = {subclass.__name__: subclass for subclass in cls.__subclasses__()}
        error = known[kind].__new__(known[kind], message)
        error.document = document
        return error


class MisplacedDocument(DocumentError):
    """The path under the landing directory does not name a partition."""

    def __init__(self, document: str, problem: str) -> None:
        super().__init__(document, problem, "Move it to market/doc_type/stock_code/<file>.")


class UnsupportedFormat(DocumentError):
    """The file's ending is none that is read."""

    def __init__(self, document: str, supported: tuple[str, ...]) -> None:
        super().__init__(
            document, "this format is not read", f"Convert it to one of {', '.join(supported)}, or remove it."
        )


class OutsideLandingDirectory(DocumentError):
    """A link leads out of the landing directory."""

    def __init__(self, document: str) -> None:
        super().__init__(
            document,
            "this link leads out of the landing directory",
            "Copy the file in instead of linking it.",
        )


class UnreadableDocument(DocumentError):
    """The file cannot be opened or parsed."""

    def __init__(self, document: str, problem: str) -> None:
        super().__init__(document, problem, "Check the file and its permissions, or fetch it again.")


class DocumentTooLarge(DocumentError):
    """The document is beyond a bound of size: bytes, pages, characters, or memory to read it."""

    def __init__(self, document: str, problem: str) -> None:
        super().__init__(document, problem, "Split it into smaller documents, or remove it.")


class DocumentTooSlow(DocumentError):
    """The document was not read within the time that one may take."""

    def __init__(self, document: str, seconds: float) -> None:
        super().__init__(
            document,
            f"reading it took longer than {seconds:g} s",
            "Split it or save it anew, e.g. qpdf --linearize IN OUT; touch it to have it tried again as it is.",
        )


class EncryptedDocument(DocumentError):
    """The PDF asks for a password."""

    def __init__(self, document: str) -> None:
        super().__init__(document, "the PDF is encrypted", "Save a copy without password, e.g. qpdf --decrypt IN OUT.")


class ImageOnlyDocument(DocumentError):
    """The PDF has pages but no text layer."""

    def __init__(self, document: str, pages: int) -> None:
        super().__init__(
            document, f"none of its {pages} pages has text (a scan?)", "Run OCR first, e.g. ocrmypdf IN OUT."
        )


class EmptyDocument(DocumentError):
    """There is no text in the document."""

    def __init__(self, document: str) -> None:
        super().__init__(document, "the document has no text", "Fetch it again, or remove it.")


class WrongEncoding(DocumentError):
    """The bytes are not in the encoding that the document claims, or in UTF-8."""

    def __init__(self, document: str, encoding: str, position: int) -> None:
        super().__init__(
            document,
            f"not {encoding.upper()} (byte {position})",
            "Convert it, e.g. iconv -f GB18030 -t UTF-8 IN > OUT.",
        )


class NulBytes(DocumentError):
    """The text holds NUL bytes, which PostgreSQL does not store."""

    def __init__(self, document: str) -> None:
        super().__init__(
            document,
            "the text contains NUL bytes (binary, or UTF-16?)",
            "Save it as UTF-8 text, e.g. iconv -f UTF-16 -t UTF-8 IN > OUT.",
        )


class ManifestRowWithoutFile(DocumentError):
    """A row of manifest.csv names a file that is not there."""

    def __init__(self, document: str, row: int) -> None:
        super().__init__(
            document,
            f"row {row} of manifest.csv names this file, but it is not there",
            "Add it or drop the row.",
        )


class DatabaseError(VectorAssetsError):
    """PostgreSQL could not do what was asked. No message ever holds a password."""


class DatabaseUnreachable(DatabaseError):
    """No connection could be made, or it was lost. `refused`: the server is there and does not let this role in."""

    def __init__(self, url: str, reason: str, refused: bool = False) -> None:
        super().__init__(
            f"cannot reach the database {url}: {reason}. Check that the server runs and that "
            "VECTOR_ASSETS_DATABASE_URL is right, or unset it to use the embedded server."
        )
        self.passes = not refused


class DatabaseStarting(DatabaseUnreachable):
    """The server is there, but takes no connections yet: it starts, stops or recovers from a crash."""


class DatabaseTooOld(DatabaseError):
    """PostgreSQL or pgvector is older than what is needed."""

    def __init__(self, what: str, found: str, needed: str) -> None:
        super().__init__(
            f"{what} {found} is too old: {needed} or newer is needed. Upgrade it, "
            "or unset VECTOR_ASSETS_DATABASE_URL to use the embedded server."
        )


class PgvectorMissing(DatabaseError):
    """The extension `vector` is not there and could not be created."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(
            f"pgvector is missing in database {database!r} ({reason}). Install it on the server and, as an owner, "
            "run CREATE EXTENSION vector; or unset VECTOR_ASSETS_DATABASE_URL to use the embedded server."
        )


class EmbeddedServerFailed(DatabaseError):
    """The embedded server cannot work in the home directory."""

    def __init__(self, home: Path, problem: str, log: Path | None = None) -> None:
        see = f" (its log is {log})" if log else ""
        super().__init__(
            f"the embedded server of {home} did not start: {problem}{see}. Point VECTOR_ASSETS_HOME at another "
            "directory that you may write, or VECTOR_ASSETS_DATABASE_URL at a server of yours."
        )
        self.home = home


class DatabaseNotCreated(DatabaseError):
    """The database is not there, and the role may not create it."""

    def __init__(self, database: str, statement: str, reason: str) -> None:
        other = ", or name another with VECTOR_ASSETS_DAGSTER_DATABASE_URL" if database.endswith("_dagster") else ""
        super().__init__(
            f"database {database!r} does not exist and could not be created ({reason}). "
            f"Have an owner of the server run {statement}{other}."
        )
        self.database = database


class DatabaseTooNew(DatabaseError):
    """The tables were made by a newer version of this project."""

    def __init__(self, database: str, found: str, newest: str) -> None:
        super().__init__(
            f"database {database!r} is at revision {found}, this version of vector_assets knows {newest} as the "
            "newest. Upgrade vector_assets, or point VECTOR_ASSETS_DATABASE_URL at another database."
        )
        self.database = database


class DatabaseFull(DatabaseError):
    """The server's disk has no room left."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the disk of the database server is full ({reason}). Free some space there; what was committed stays, "
            "and the next run does the rest."
        )


class DatabaseFailed(DatabaseError):
    """PostgreSQL refused a statement."""

    def __init__(self, reason: str, sqlstate: str | None, passes: bool = False) -> None:
        super().__init__(f"the database refused a statement ({sqlstate or 'no code'}): {reason}.")
        self.sqlstate = sqlstate
        self.passes = passes


class ModelError(VectorAssetsError):
    """An embedding model, or its answer, cannot be used."""


class ModelNotFound(ModelError):
    """The model is neither bundled, nor a folder, nor to be had from the hub."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(
            f"unknown model {model!r} ({reason}). Set EMBEDDING_MODEL to a sentence-transformers model's name or "
            "to a folder that holds one, or unset it to use the bundled model."
        )
        self.model = model


class InvalidModel(ModelError):
    """The model's folder lacks something, or says something contradictory."""

    def __init__(self, model: str, problem: str) -> None:
        super().__init__(
            f"model {model!r} cannot be used: {problem}. Fetch it again, or choose another with EMBEDDING_MODEL."
        )
        self.model = model


class WeightsChanged(ModelError):
    """The weights are not the ones that made the vectors stored under this name."""

    def __init__(self, model: str, expected: str, found: str) -> None:
        super().__init__(
            f"the weights of {model!r} have sha256 {found[:12]}…, expected {expected[:12]}…: vectors of both would "
            "not compare. Restore the former weights (reinstall the model), give the new ones a name of their own, or "
            "embed all chunks anew: vector-assets backfill --accept-drift."
        )


class EmbedderDrifted(ModelError):
    """The embedder makes other vectors of the same texts than it did; nothing was stored."""

    def __init__(self, model: str, cosine: float, before: str, now: str) -> None:
        super().__init__(
            f"{model!r} no longer makes the vectors that are stored: a fixed text comes out at a cosine of "
            f"{cosine:.4f} with what it was (made by {before}; now {now}). Nothing was stored. Restore the former "
            "library, device or EMBEDDING_PRECISION, or embed all chunks anew: vector-assets backfill --accept-drift."
        )
        self.cosine = cosine


class SpaceReplaced(ModelError):
    """Another process made another embedding space the active one while this one worked."""

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"embedding space {slug} is no longer the active one: another process runs with another EMBEDDING_MODEL. "
            "Give all processes the same model and run again."
        )
        self.slug = slug


class FailuresOfOtherSpace(ModelError):
    """Chunks to retry failed in the active space, but the configured model makes vectors of another one."""

    def __init__(self, model: str, slug: str, configured: str) -> None:
        super().__init__(
            f"the failures are those of {model!r} in embedding space {slug}, but the configured {configured!r} makes "
            "vectors of another space. Set EMBEDDING_MODEL (and its prompts) back, or embed all chunks anew with "
            "vector-assets backfill."
        )
        self.slug = slug


class ConversionFailed(ModelError):
    """OpenVINO cannot serve the model."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"{model!r} is not served by OpenVINO: {reason}. torch serves it, more slowly.")
        self.model = model
        self.reason = reason


class BadVectors(ModelError):
    """An embedder's answer that must not be stored; `fault` names what is wrong with a single row."""

    def __init__(self, problem: str, fault: str = "not a row for each text") -> None:
        super().__init__(
            f"the embedder answered with {problem}, which is never stored. If that is a matter of rounding, set "
            "EMBEDDING_PRECISION=f32."
        )
        self.fault = fault


class EmbedderBroken(ModelError):
    """The embedder fails even on a plain text, so the chunks are not at fault and none is quarantined."""

    def __init__(self, model: str, cause: BaseException) -> None:
        reason = " ".join(f"{type(cause).__name__}: {cause}".split())
        super().__init__(
            f"the embedder {model!r} fails on any text ({reason}), so the chunks are not at fault; they stay pending. "
            "Run vector-assets doctor."
        )


class EmbedderHung(ModelError):
    """The embedder did not answer in time. What was committed stays, and no chunk is blamed."""

    def __init__(self, model: str, seconds: float) -> None:
        super().__init__(
            f"the embedder {model!r} did not answer within {seconds:g} s; what is not committed stays pending. See "
            "that its device works and has memory left, and run again. If it is only slow, lower EMBEDDING_BATCH_SIZE "
            "or raise VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS."
        )
        self.model = model
