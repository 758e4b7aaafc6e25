"""Sends requests over kept connections, and bounds what an answer may take: bytes, seconds, and where it comes from."""

import json
import ssl
import time
import zlib
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ...errors import EmbedderBusy, EmbedderRefused, ModelError
from .answers import Answer, BrokenOffAnswer, MalformedAnswer, read_answer
from .model import Fields, RemoteModel
from .refusals import refusal

if TYPE_CHECKING:
    import httpx2

_CONNECT_SECONDS = 10.0
# A vector has some thousand numbers at most, each of some 25 characters at most; an error has a few words.
_BYTES_A_TEXT = 256 * 1024
_BYTES_BESIDE = 1024 * 1024
_GZIP = 31  # zlib's number for the format with its header

Headers = dict[str, str]


class EmbeddingClient:
    """Calls one server. Threads may share it.

    Args:
        model: the model, its address and its key.
        most_connections: how many requests may run at once.
        timeout: seconds in which an answer must be there.
    """

    def __init__(self, model: RemoteModel, most_connections: int, timeout: float) -> None:
        self._model = model
        self._most_connections = most_connections
        self._timeout = timeout

    def embeddings(self, texts: list[str], fields: Fields, timeout: float | None = None) -> tuple[Answer, Headers]:
        """Have the texts embedded: the vectors in their order, and the headers of the answer in lower case.

        Raises:
            EmbedderBusy: the server is away or over a limit; the same call may succeed later.
            EmbedderRefused: the server refuses any request.
            TextsRefused: the server refuses these texts.
            WrongVectors: it has not one vector for each text.
        """
        most = _BYTES_BESIDE + len(texts) * _BYTES_A_TEXT
        body = self._model.body(texts, fields)
        status, headers, content = self._call("POST", "/embeddings", body, most, timeout or self._timeout)
        if status != HTTPStatus.OK:
            raise refusal(self._model, status, headers, content)
        try:
            return read_answer(content, len(texts)), headers
        except BrokenOffAnswer as error:
            raise EmbedderBusy(self._model.name, str(error)) from error
        except MalformedAnswer as error:
            raise self._not_embeddings(str(error)) from error

    def document(self, url: str) -> Any:
        """Read the JSON document at an address of the server; None: there is none.

        Raises:
            EmbedderBusy, EmbedderRefused: the server cannot be reached.
        """
        status, _, content = self._call("GET", url, b"", _BYTES_BESIDE, _CONNECT_SECONDS)
        try:
            return json.loads(content) if status == HTTPStatus.OK else None
        except (ValueError, RecursionError):
            return None

    def close(self) -> None:
        """Close the connections."""
        if "_http" in self.__dict__:
            self._http.close()

    def _call(self, method: str, path: str, body: bytes, most: int, timeout: float) -> tuple[int, Headers, bytes]:
        import httpx2

        url = path if "://" in path else self._model.api_base + path
        ends_at = time.monotonic() + timeout
        limits = httpx2.Timeout(timeout, connect=min(_CONNECT_SECONDS, timeout))
        content_type = {"Content-Type": "application/json"} if body else {}
        try:
            with self._http.stream(
                method, url, content=body, headers=content_type, params=dict(self._model.query) or None, timeout=limits
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return response.status_code, headers, self._content(response, most, ends_at)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        except zlib.error as error:
            raise EmbedderBusy(self._model.name, "its packed answer is damaged") from error
        except httpx2.InvalidURL as error:
            raise self._refused(f"is no address ({error})", "Correct EMBEDDING_API_BASE.") from error

    def _content(self, response: "httpx2.Response", most: int, ends_at: float) -> bytes:
        """Read an answer of at most so many bytes, packed and unpacked, until the time is over."""
        content = bytearray()
        unpack = self._unpacker(response.headers.get("content-encoding", "identity").strip().lower(), most)
        for part in response.iter_raw():
            content += unpack(part)
            if len(content) > most:
                fix = "An embeddings server answers with a few kB for each text. Correct EMBEDDING_API_BASE."
                raise self._refused(f"answers with more than {most:,} bytes", fix)
            if time.monotonic() > ends_at:
                raise EmbedderBusy(self._model.name, "its answer did not end in time")
        return bytes(content)

    def _unpacker(self, encoding: str, most: int) -> Callable[[bytes], bytes]:
        if encoding in {"", "identity"}:
            return lambda part: part
        if encoding == "gzip":
            packed = zlib.decompressobj(_GZIP)
            return lambda part: packed.decompress(part, most + 1)
        raise self._refused(f"packs its answers with {encoding}, which was not asked for", "Switch that off there.")

    def _unreachable(self, error: "httpx2.HTTPError") -> ModelError:
        """Return the error of a call without an answer: one that passes, or one that somebody must fix."""
        import httpx2

        certificate = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLCertVerificationError)), None)
        if certificate is not None:
            fix = "Name the file of the certificates to trust in SSL_CERT_FILE, or correct EMBEDDING_API_BASE."
            return self._refused(f"has a certificate that is refused ({certificate.verify_message})", fix)
        if isinstance(error, httpx2.UnsupportedProtocol):
            return self._refused("is no http or https address", "Correct EMBEDDING_API_BASE.")
        if isinstance(error, httpx2.TimeoutException):
            return EmbedderBusy(self._model.name, f"no answer in time from {self._model.api_base}")
        detail = " ".join(str(error).split()) or type(error).__name__
        return EmbedderBusy(self._model.name, f"the connection to {self._model.api_base} failed: {detail}")

    def _not_embeddings(self, problem: str) -> EmbedderRefused:
        fix = "Correct EMBEDDING_API_BASE: it is the address up to /embeddings of an OpenAI-compatible server."
        return self._refused(f"answers with {problem}", fix)

    def _refused(self, problem: str, fix: str) -> EmbedderRefused:
        return EmbedderRefused(self._model.name, self._model.api_base, problem, fix)

    @cached_property
    def _http(self) -> "httpx2.Client":
        import httpx2

        limits = httpx2.Limits(max_connections=self._most_connections, max_keepalive_connections=self._most_connections)
        return httpx2.Client(headers=self._model.headers, limits=limits, follow_redirects=False)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
