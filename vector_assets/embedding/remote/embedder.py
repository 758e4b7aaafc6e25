"""Embeds with a model of a server."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ...domain.chunks import TokenizedText, text_hash
from ...domain.spaces import EmbeddingSpace, Vectors
from ...errors import BadVectors, EmbedderBusy, EmbedderOverLimit, EmbedderRefused, VectorAssetsError
from ...ports import RateLimits
from ..token_counter import TokenCounter
from .answers import Answer, WrongVectors
from .client import EmbeddingClient
from .concurrency import Concurrency
from .model import Fields, RemoteModel
from .pace import Pace
from .requests import fill_requests
from .server_info import ServerInfo, ask_server
from .token_estimate import TokenEstimate
from .waits import tokens_a_minute, used_up

MOST_CONCURRENT = 16
"""Requests at once. With answers in 200 ms and 6,000 tokens a request, that is 30 million tokens a minute."""

MOST_BATCH_TEXTS = 128
"""A batch is a request, and the unit of progress and loss: so many texts are enough to hide what a request costs."""

# So many calls more look up texts or inspect vectors, while others wait for the server.
_PREPARED_CALLS = 8
# A question is answered while somebody waits.
QUERY_SECONDS = 5.0
# The limit of a text where nobody says it.
_TEXT_TOKENS = 512
# A vector whose length is off by more is made one of length 1, as the port wants it.
_UNIT_TOLERANCE = 1e-3
# A turn further away than this is not waited for within the call: the run reports the pause.
_LONGEST_TURN_SECONDS = 10.0
_USED_UP = "its limits of a minute are used up"
# Requests whose answers take longer keep a distance, so that they do not all arrive at the same moment.
_LONG_ANSWER_SECONDS = 0.05
# A refusal without a word of when to come back.
_PAUSE_SECONDS = 1.0
_MOST_KEPT = 10_000
# A limit of tokens per minute is divided into so many requests at least, because a minute is full of whole ones.
_REQUESTS_A_MINUTE = 8
_DIMENSION_TEXT = "dimension"


class RemoteEmbedder:
    """The `Embedder` port over an OpenAI-compatible server. Threads may share it.

    Args:
        model: which model of which server, and how it is asked.
        known: its space, where the database has it; else the server is asked for the dimension.
        make_counter: makes the model's own token counter; gives None where its tokenizer is not at hand.
        make_tokenizer: makes the tokenizer that documents are chunked by, where the model's is not at hand.
        limits: the limits of requests and tokens per minute, shared with other processes; None: none is known.
        pause: waits for so many seconds, or until the process is asked to stop.
        timeout: seconds in which an answer must be there.
    """

    def __init__(
        self,
        model: RemoteModel,
        known: EmbeddingSpace | None,
        make_counter: Callable[[EmbeddingSpace], TokenCounter | None],
        make_tokenizer: Callable[[], Tokenizer],
        limits: RateLimits | None,
        pause: Callable[[float], object],
        timeout: float = 60.0,
    ) -> None:
        self.model = model
        self._known = known
        self._make_counter = make_counter
        self._make_tokenizer = make_tokenizer
        self._limits = limits
        self._pause = pause
        self._client = EmbeddingClient(model, MOST_CONCURRENT + 1, timeout)
        self._requests = Concurrency(MOST_CONCURRENT)
        self._pace = Pace()
        self._answer_seconds = 0.0
        self._kept: dict[bytes, NDArray[np.float32]] = {}
        self._paused_until = 0.0
        self._lock = threading.Lock()
        self._tokens_used = 0

    @property
    def space(self) -> EmbeddingSpace:
        """The embedding space of its vectors. Once the server was asked, its digest is the one that it says now."""
        if "info" in self.__dict__:
            return replace(self._described, weights_digest=self.info.digest)
        return self._described

    @cached_property
    def _described(self) -> EmbeddingSpace:
        """The space as the database has it; that of an unknown model costs a request."""
        return self._known or EmbeddingSpace(
            model=self.model.name,
            revision="",
            pooling="",
            document_prompt=self.model.document_prompt,
            query_prompt=self.model.query_prompt,
            dimension=self._ask_dimension(),
            max_tokens=self.info.text_tokens or self.model.provider.text_tokens_of(self.model.name) or _TEXT_TOKENS,
            weights_digest=self.info.digest,
            source=self.model.name,
            provider=self.model.provider.name,
            request=self.model.identity,
        )

    def _ask_dimension(self) -> int:
        answer, _ = self._client.embeddings([_DIMENSION_TEXT], self.model.document_fields)
        return int(answer.vectors.shape[1])

    @cached_property
    def info(self) -> ServerInfo:
        """What the server says of itself."""
        return ask_server(self._client, self.model)

    @cached_property
    def counter(self) -> TokenCounter | TokenEstimate:
        """What counts tokens: the model's own tokenizer, else an estimate by characters."""
        counter = self._make_counter(self.space)
        return counter or TokenEstimate(self.space.document_prompt, self.space.max_tokens, self._make_tokenizer)

    @property
    def tokens_used(self) -> int:
        """How many tokens the server has counted so far, over all calls; where it counts none, those estimated."""
        return self._tokens_used

    @property
    def concurrency(self) -> int:
        """How many calls are worth making at once; the server may take fewer, and the rest wait their turn."""
        return MOST_CONCURRENT + _PREPARED_CALLS

    @property
    def device(self) -> str:
        """Which server computes, and what it says of itself."""
        return f"{self.model.provider.name} at {self.model.api_base} {self.info.description}".strip()

    def load(self) -> None:
        """Ask the server what it runs."""
        _ = self.info

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Count, or estimate, what the model will see of each text."""
        return self.counter.tokenize(texts)

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        """Embed document texts: float32 (n, dimension), rows of length 1, in the order given.

        Answers that arrived before another request of the same call failed are kept for the call that repeats it.

        Raises:
            EmbedderBusy: the server is away or over a limit.
            EmbedderRefused: it refuses any request.
            TextsRefused, BadVectors: it refuses these texts, or has no vector for each of them.
        """
        hashes = [text_hash(text.text) for text in texts]
        found = self._kept_of(hashes)
        by_hash = {digest: text for digest, text in zip(hashes, texts, strict=True) if digest not in found}
        needed, missing = list(by_hash.values()), list(by_hash)
        try:
            for part in fill_requests(needed, self.most_texts, self.most_tokens):
                found.update(zip(missing[part], self._request(needed[part]), strict=True))
        except VectorAssetsError:
            self._keep(found)
            raise
        return np.stack([found[digest] for digest in hashes])

    def try_out(self, texts: Sequence[TokenizedText]) -> float:
        """Embed document texts to see how many seconds that takes. The call that needs the answers finds them kept.

        Raises:
            EmbedderBusy, EmbedderRefused, TextsRefused, BadVectors: as `embed`.
        """
        started = time.perf_counter()
        rows = self.embed(texts)
        seconds = time.perf_counter() - started
        self._keep({text_hash(text.text): row for text, row in zip(texts, rows, strict=True)})
        return seconds

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question: float32 (dimension,), of length 1. A server that is slow is not waited for.

        Raises:
            EmbedderBusy, EmbedderRefused, TextsRefused, BadVectors: as `embed`.
        """
        answer, _ = self._call([self._described.query_prompt + text], self.model.query_fields, QUERY_SECONDS)
        row: NDArray[np.float32] = answer.vectors[0]
        return row

    @property
    def most_texts(self) -> int:
        """The most texts of a request."""
        return self.info.most_texts or self.model.provider.most_texts

    @property
    def most_tokens(self) -> int:
        """The most tokens of a request."""
        most = self.info.most_tokens or self.model.provider.most_tokens
        of_a_minute = self.model.tokens_per_minute
        return most if of_a_minute is None else min(most, max(of_a_minute // _REQUESTS_A_MINUTE, 1))

    def _kept_of(self, hashes: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        kept = ((digest, self._kept.pop(digest, None)) for digest in hashes if self._kept)
        return {digest: row for digest, row in kept if row is not None}

    def _keep(self, found: dict[bytes, NDArray[np.float32]]) -> None:
        if len(self._kept) > _MOST_KEPT:  # of batches that nobody repeated
            self._kept.clear()
        self._kept.update(found)

    def _request(self, texts: Sequence[TokenizedText]) -> Vectors:
        """Embed the texts of one request, when it is its turn."""
        tokens = sum(text.tokens_embedded for text in texts)
        prompt = self._described.document_prompt
        asked = [prompt + text.text for text in texts]
        with self._requests.slot():
            waited = self._wait_for_turn(tokens)
            began = time.monotonic()
            try:
                answer, headers = self._call(asked, self.model.document_fields)
            except EmbedderBusy as error:
                self._refused(began, error)
                raise
        self._answer_seconds = time.monotonic() - began
        if not waited:
            self._requests.grow()
        used = self._count(asked, tokens, answer)
        self._pace.accepted(began, tokens, used, tokens_a_minute(headers))
        self._pause_for(used_up(headers))
        return answer.vectors

    def _wait_for_turn(self, tokens: int) -> bool:
        """Wait until the limits allow a request; return whether they made it wait.

        Raises:
            EmbedderBusy: the turn is too far away to be waited for here, or the server has refused others meanwhile.
        """
        self._raise_if_far(self._pause_left)
        turn = self._limits.reserve(tokens, _LONGEST_TURN_SECONDS) if self._limits is not None else 0.0
        distance = (
            self._answer_seconds / (2 * self._requests.limit) if self._answer_seconds > _LONG_ANSWER_SECONDS else 0.0
        )
        turn = max(turn, self._pace.reserve(tokens, distance, _LONGEST_TURN_SECONDS), self._pause_left)
        self._raise_if_far(turn)
        paused_until = self._paused_until
        if turn > 0:
            self._pause(turn)
        if self._paused_until > paused_until and (left := self._pause_left) > 0:
            raise EmbedderBusy(self.model.name, _USED_UP, left)
        return turn > distance

    def _raise_if_far(self, turn: float) -> None:
        if turn > _LONGEST_TURN_SECONDS:
            raise EmbedderBusy(self.model.name, _USED_UP, turn)

    @property
    def _pause_left(self) -> float:
        return max(self._paused_until - time.monotonic(), 0.0)

    def _call(self, texts: list[str], fields: Fields, timeout: float | None = None) -> tuple[Answer, dict[str, str]]:
        try:
            answer, headers = self._client.embeddings(texts, fields, timeout)
        except WrongVectors as error:
            raise BadVectors(str(error)) from error
        dimension = answer.vectors.shape[1]
        if dimension != (expected := self._described.dimension):
            problem = f"returns {dimension} dimensions, and its embedding space has {expected}"
            fix = "Restore the model or EMBEDDING_DIMENSIONS, or embed all chunks anew: vector-assets spaces add."
            raise EmbedderRefused(self.model.name, self.model.api_base, problem, fix)
        return replace(answer, vectors=_unit(answer.vectors)), headers

    def _refused(self, began: float, error: EmbedderBusy) -> None:
        """Go slower, or let fewer requests run at once, and none before the server asks for them."""
        if not (isinstance(error, EmbedderOverLimit) and self._pace.refused(began, error.retry_after)):
            self._requests.halve(began)
        self._pause_for(_PAUSE_SECONDS if error.retry_after is None else error.retry_after)
        if self._limits is not None and error.retry_after:
            self._limits.pause(error.retry_after)

    def _pause_for(self, seconds: float | None) -> None:
        if seconds:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def _count(self, texts: list[str], estimated: int, answer: Answer) -> int:
        """Count what the server has counted, learn from it, and return it."""
        used = estimated if answer.tokens is None else answer.tokens
        with self._lock:
            self._tokens_used += used
        if self._limits is not None and used != estimated:
            self._limits.correct(used - estimated)
        if answer.tokens is not None and isinstance(self.counter, TokenEstimate):
            self.counter.learn(texts, answer.tokens)
        return used


def _unit(vectors: Vectors) -> Vectors:
    """Give the rows the length 1; one that has none, or is not finite, stays as it is and is refused later."""
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        scaled = (vectors / lengths).astype(np.float32)
    as_they_are = ~np.isfinite(lengths) | (lengths == 0) | (np.abs(lengths - 1) <= _UNIT_TOLERANCE)
    chosen: Vectors = np.where(as_they_are, vectors, scaled)
    return chosen
