"""The error family. Every class takes its culprit as data and writes one line that ends with the fix.

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
├── RayDidNotStart                the cluster for trying, on this machine
├── RayUnreachable                no cluster answers at the launcher's address
├── NoRayLauncher                 dagster.yaml starts runs in another way
├── ClusterDidNotAnswer
├── PoolLargerThanCluster         runs would wait in Ray until they are failed
├── LauncherAsksForNothing        all runs would start on the head
├── LandingDirectoryMissing
├── InvalidManifest
├── ReaderNotStarted              the process that parses documents; no document is at fault
├── PartitionWouldShrink          nothing was deleted; --allow-shrink
├── BudgetUsedUp                  nothing was embedded: a limit of tokens or the deadline was reached before
├── PartitionBusy                 another run works on the same partition
├── LeaseLost                     another run took the partition over; this one stores nothing more
├── RunEnded                      Dagster has marked the run as ended; its process was still at work
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
    ├── BlankChunk                a chunk without text, which never gets a vector
    ├── EmbedderBusy              it passes: the same call may succeed later
    │   └── EmbedderOverLimit     a limit of requests or tokens is reached
    ├── EmbedderRefused           a server refuses every request, or is none: nothing helps but the fix
    ├── TextsRefused              a server refuses these texts
    ├── EmbedderUnavailable       the embedder was busy for as long as a run waits
    ├── EmbedderBroken            the embedder fails on any text: the chunks are not at fault
    └── EmbedderHung              the embedder does not answer; its thread is left running
"""

from .cluster import (
    ClusterDidNotAnswer,
    LauncherAsksForNothing,
    NoRayLauncher,
    PoolLargerThanCluster,
    RayDidNotStart,
    RayUnreachable,
)
from .database import (
    DatabaseError,
    DatabaseFailed,
    DatabaseFull,
    DatabaseLocked,
    DatabaseNotCreated,
    DatabaseReadOnly,
    DatabaseStarting,
    DatabaseTooNew,
    DatabaseTooOld,
    DatabaseUnreachable,
    EmbeddedServerFailed,
    MigrationDue,
    NothingStoredYet,
    PgvectorMissing,
    PgvectorUnsafe,
    RightMissing,
    SchemaTaken,
    WrongServerEncoding,
)
from .documents import (
    AnotherProgramsDocument,
    DamagedText,
    DocumentError,
    DocumentTooLarge,
    DocumentTooSlow,
    EmptyDocument,
    EncryptedDocument,
    ImageOnlyDocument,
    InvalidManifest,
    LandingDirectoryMissing,
    ManifestRowWithoutFile,
    MisplacedDocument,
    NulBytes,
    OutsideLandingDirectory,
    PartitionWouldShrink,
    PlaceholderDocument,
    ReaderNotStarted,
    SamePathElsewhere,
    UnreadableDocument,
    UnsupportedFormat,
    WrongEncoding,
)
from .family import (
    DAGSTER_DATABASE_URL,
    DATABASE_URL,
    VectorAssetsError,
)
from .inputs import (
    ChunkNotFound,
    ExtraMissing,
    InvalidChunkId,
    InvalidPartitionKey,
    InvalidPattern,
    InvalidQuestion,
    InvalidSetting,
    NoDocumentHas,
    NothingMatches,
    NothingToSearch,
)
from .models import (
    BadVectors,
    BlankChunk,
    BundledModelUnavailable,
    ConversionFailed,
    EmbedderBroken,
    EmbedderBusy,
    EmbedderDrifted,
    EmbedderHung,
    EmbedderOverLimit,
    EmbedderRefused,
    EmbedderSwapped,
    EmbedderUnavailable,
    InvalidModel,
    ModelError,
    ModelNotFound,
    ModelNotWritten,
    ModelTooLarge,
    RecipeChanged,
    ServerModelChanged,
    TextsRefused,
    WeightsChanged,
)
from .runs import (
    BudgetUsedUp,
    DaemonNotRunning,
    DagsterDidNotStart,
    DevRunsAlready,
    EmptyRange,
    IndexBuildRunning,
    IndexWouldSpill,
    Interrupted,
    LeaseLost,
    PartitionBusy,
    PartitionsFailed,
    PortTaken,
    RunCanceled,
    RunEnded,
    TooManyFailures,
    WatchingStopped,
)
from .spaces import (
    AnotherSpaceFills,
    FewerHits,
    InvalidQuestions,
    NoSpaceToFill,
    NothingServedBefore,
    NothingToCompare,
    SpaceIncomplete,
    SpaceNotFound,
    SpaceNotLive,
    SpaceRetired,
    SpaceServes,
)

__all__ = [
    "DAGSTER_DATABASE_URL",
    "DATABASE_URL",
    "AnotherProgramsDocument",
    "AnotherSpaceFills",
    "BadVectors",
    "BlankChunk",
    "BudgetUsedUp",
    "BundledModelUnavailable",
    "ChunkNotFound",
    "ClusterDidNotAnswer",
    "ConversionFailed",
    "DaemonNotRunning",
    "DagsterDidNotStart",
    "DamagedText",
    "DatabaseError",
    "DatabaseFailed",
    "DatabaseFull",
    "DatabaseLocked",
    "DatabaseNotCreated",
    "DatabaseReadOnly",
    "DatabaseStarting",
    "DatabaseTooNew",
    "DatabaseTooOld",
    "DatabaseUnreachable",
    "DevRunsAlready",
    "DocumentError",
    "DocumentTooLarge",
    "DocumentTooSlow",
    "EmbeddedServerFailed",
    "EmbedderBroken",
    "EmbedderBusy",
    "EmbedderDrifted",
    "EmbedderHung",
    "EmbedderOverLimit",
    "EmbedderRefused",
    "EmbedderSwapped",
    "EmbedderUnavailable",
    "EmptyDocument",
    "EmptyRange",
    "EncryptedDocument",
    "ExtraMissing",
    "FewerHits",
    "ImageOnlyDocument",
    "IndexBuildRunning",
    "IndexWouldSpill",
    "Interrupted",
    "InvalidChunkId",
    "InvalidManifest",
    "InvalidModel",
    "InvalidPartitionKey",
    "InvalidPattern",
    "InvalidQuestion",
    "InvalidQuestions",
    "InvalidSetting",
    "LandingDirectoryMissing",
    "LauncherAsksForNothing",
    "LeaseLost",
    "ManifestRowWithoutFile",
    "MigrationDue",
    "MisplacedDocument",
    "ModelError",
    "ModelNotFound",
    "ModelNotWritten",
    "ModelTooLarge",
    "NoDocumentHas",
    "NoRayLauncher",
    "NoSpaceToFill",
    "NothingMatches",
    "NothingServedBefore",
    "NothingStoredYet",
    "NothingToCompare",
    "NothingToSearch",
    "NulBytes",
    "OutsideLandingDirectory",
    "PartitionBusy",
    "PartitionWouldShrink",
    "PartitionsFailed",
    "PgvectorMissing",
    "PgvectorUnsafe",
    "PlaceholderDocument",
    "PoolLargerThanCluster",
    "PortTaken",
    "RayDidNotStart",
    "RayUnreachable",
    "ReaderNotStarted",
    "RecipeChanged",
    "RightMissing",
    "RunCanceled",
    "RunEnded",
    "SamePathElsewhere",
    "SchemaTaken",
    "ServerModelChanged",
    "SpaceIncomplete",
    "SpaceNotFound",
    "SpaceNotLive",
    "SpaceRetired",
    "SpaceServes",
    "TextsRefused",
    "TooManyFailures",
    "UnreadableDocument",
    "UnsupportedFormat",
    "VectorAssetsError",
    "WatchingStopped",
    "WeightsChanged",
    "WrongEncoding",
    "WrongServerEncoding",
]
