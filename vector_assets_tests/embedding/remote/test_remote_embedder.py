"""An embedder of a server: what it asks, what it takes from the answer, and what each bad answer becomes."""

import gzip
import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.providers import PROVIDERS, Provider
from vector_assets.domain.spaces import EmbeddingSpace
from vector_assets.embedding.remote.embedder import RemoteEmbedder
from vector_assets.embedding.remote.model import RemoteModel
from vector_assets.errors import BadVectors, EmbedderBusy, EmbedderRefused, TextsRefused

from ...fakes import DIMENSION, WordTokenCounter, vector_of
from .provider_server import Exchange, Respond, changing, serving, slowly, wide

KEY = "sk-secret"
SPACE = EmbeddingSpace("hash", "", "", "", "", DIMENSION, 64, "", source="hash", provider="openai")


def embedder_of(
    url: str,
    known: EmbeddingSpace | None = SPACE,
    preset: Provider | None = None,
    timeout: float = 5.0,
    pause: Callable[[float], object] = lambda _: None,
    **asked: Any,
) -> RemoteEmbedder:
    """An embedder of the server at this address."""
    model = RemoteModel(preset or Provider("openai"), url, "hash", KEY, **asked)
    return RemoteEmbedder(model, known, lambda _: None, lambda: WordTokenCounter().tokenizer, None, pause, timeout)


def embed(embedder: RemoteEmbedder, *texts: str) -> np.ndarray:
    return embedder.embed(embedder.tokenize(texts))


def reordered(document: dict[str, Any]) -> None:
    document["data"].reverse()


def as_numbers(document: dict[str, Any]) -> None:
    for index, item in enumerate(document["data"]):
        item["embedding"] = vector_of(("one", "two")[index]).tolist()


def longer(document: dict[str, Any]) -> None:
    """Vectors that do not have the length 1, as some servers send them."""
    for index, item in enumerate(document["data"]):
        item["embedding"] = (3 * vector_of(("one", "two")[index])).tolist()


@pytest.mark.parametrize("change", [lambda _: None, reordered, as_numbers, longer], ids=lambda change: change.__name__)
def test_vectors_come_in_the_order_of_the_texts(change: Callable[[dict[str, Any]], None]) -> None:
    """As base64 or as numbers, in whatever order the answer has them, of length 1."""
    with serving(changing(change)) as provider:
        vectors = embed(embedder_of(provider.url), "one", "two")

    np.testing.assert_allclose(vectors, [vector_of("one"), vector_of("two")], atol=1e-6)


def test_the_words_of_a_request_are_the_provider_s() -> None:
    """Documents and questions differ by a field or the name of the model; the key goes in the provider's header."""
    preset = replace(PROVIDERS["azure"], dimensions_field="width")
    with serving() as provider:
        embedder = embedder_of(
            provider.url,
            preset=preset,
            dimensions=DIMENSION,
            query={"api-version": "1"},
            document_fields={"input_type": "passage"},
            query_fields={"model": "hash-query"},
        )
        embed(embedder, "text")
        embedder.embed_query("question")

    document, question = provider.asked
    assert document == {
        "model": "hash",
        "input": ["text"],
        "encoding_format": "base64",
        "width": DIMENSION,
        "input_type": "passage",
    }
    assert (question["model"], question["input"]) == ("hash-query", ["question"])
    assert provider.headers[0]["api-key"] == KEY
    assert "authorization" not in provider.headers[0]


def test_prompts_stand_before_texts_and_the_key_goes_as_bearer() -> None:
    """Each kind of text has its own."""
    with serving() as provider:
        space = replace(SPACE, document_prompt="passage: ", query_prompt="query: ")
        embedder = embedder_of(provider.url, space)
        embed(embedder, "text")
        embedder.embed_query("question")

    assert provider.texts == ["passage: text", "query: question"]
    assert provider.headers[0]["authorization"] == f"Bearer {KEY}"


def test_an_unknown_space_is_described_by_the_server() -> None:
    """Its dimension by an answer; its limits, its weights and its name by `/info`."""
    with serving() as provider:
        provider.documents["/info"] = {
            "model_id": "m",
            "model_sha": "abc",
            "max_input_length": 77,
            "max_client_batch_size": 2,
        }
        embedder = embedder_of(provider.url, None, Provider("tei", describes_itself=True))
        space = embedder.space
        embed(embedder, "a", "b", "c")

        provider.documents["/info"]["model_sha"] = "def"
        later = embedder_of(provider.url, space, Provider("tei", describes_itself=True))
        before_it_asks = later.space
        later.load()

    assert (space.dimension, space.max_tokens, space.provider) == (DIMENSION, 77, "tei")
    assert [len(body["input"]) for body in provider.asked[1:]] == [2, 1]
    assert before_it_asks == space
    assert later.space.weights_digest != space.weights_digest


def test_answers_that_arrived_are_not_paid_for_again() -> None:
    """Of a batch of several requests, the call that repeats it sends only what is missing, and no text twice."""
    failing = iter([False, True, False])

    def respond(exchange: Exchange) -> None:
        exchange.send_error_document(503) if next(failing) else exchange.succeed()

    with serving(respond) as provider:
        embedder = embedder_of(provider.url, preset=Provider("openai", most_texts=2))
        with pytest.raises(EmbedderBusy):
            embed(embedder, "a", "b", "c", "a")
        vectors = embed(embedder, "a", "b", "c", "a")

    assert [body["input"] for body in provider.asked] == [["a", "b"], ["c"], ["c"]]
    np.testing.assert_allclose(vectors, [vector_of(text) for text in "abca"], atol=1e-6)
    assert embedder.tokens_used == 15


# Bad answers


def one_missing(document: dict[str, Any]) -> None:
    del document["data"][0]


def same_index(document: dict[str, Any]) -> None:
    document["data"][0]["index"] = 1


def with_words(document: dict[str, Any]) -> None:
    document["data"][0]["embedding"] = ["0.1"] * DIMENSION


def damaged_base64(document: dict[str, Any]) -> None:
    document["data"][0]["embedding"] = "AAA"


def cut(exchange: Exchange) -> None:
    exchange.send(json.dumps(exchange.answer()).encode()[:-40], length=5000)
    exchange.close_connection = True


def broken_off(exchange: Exchange) -> None:
    exchange.send(json.dumps(exchange.answer()).encode()[:-40])


def bomb(exchange: Exchange) -> None:
    exchange.send(gzip.compress(b" " * 20_000_000), Content_Encoding="gzip")


def sending(content: bytes, **headers: str) -> Respond:
    return lambda exchange: exchange.send(content, **headers)


def failing(status: int, message: str = "no", code: str = "", **headers: str) -> Respond:
    return lambda exchange: exchange.send_error_document(status, message, code, **headers)


BAD_ANSWERS: dict[str, tuple[Respond, type[Exception], str]] = {
    "over a limit": (failing(429, Retry_After="7"), EmbedderBusy, "429 .*in 7 s"),
    "over a limit, without a time": (failing(429), EmbedderBusy, "429 Too Many Requests"),
    "over a limit, by other headers": (
        failing(429, x_ratelimit_remaining_tokens="0", x_ratelimit_reset_tokens="1m30s"),
        EmbedderBusy,
        "in 90 s",
    ),
    "away": (failing(503), EmbedderBusy, "503"),
    "stalled": (slowly, EmbedderBusy, "in time"),
    "cut in the middle": (cut, EmbedderBusy, "connection"),
    "broken off": (broken_off, EmbedderBusy, "ends in the middle"),
    "empty": (sending(b""), EmbedderBusy, "ends in the middle"),
    "damaged gzip": (sending(b"no gzip", Content_Encoding="gzip"), EmbedderBusy, "damaged"),
    "quota used up": (failing(429, "You are done", "insufficient_quota"), EmbedderRefused, "quota is used up .*Pay"),
    "unpaid": (failing(402), EmbedderRefused, "402 .*Pay"),
    "key refused": (failing(401, f"Incorrect key {KEY}"), EmbedderRefused, r"401 .*Incorrect key \*\*\*.*API_KEY"),
    "forbidden": (failing(403), EmbedderRefused, "403 .*EMBEDDING_MODEL"),
    "not found": (failing(404), EmbedderRefused, "404 .*EMBEDDING_API_BASE"),
    "redirect": (
        failing(307, Location="http://elsewhere.example/v1"),
        EmbedderRefused,
        "redirects to http://elsewhere.example/v1",
    ),
    "html": (sending(b"<html>Log in</html>"), EmbedderRefused, "no JSON but '<html>Log in"),
    "other JSON": (sending(b'{"status": "ok"}'), EmbedderRefused, "without a list named data"),
    "bomb": (bomb, EmbedderRefused, "more than .* bytes"),
    "unknown packing": (sending(b"", Content_Encoding="br"), EmbedderRefused, "br"),
    "words": (changing(with_words), EmbedderRefused, "no list of numbers"),
    "damaged base64": (changing(damaged_base64), EmbedderRefused, "no base64"),
    "wrong dimension": (changing(wide), EmbedderRefused, "9 dimensions.* 8"),
    "text refused": (failing(400, "too long"), TextsRefused, "400 Bad Request: too long"),
    "too large": (failing(413), TextsRefused, "413"),
    "one missing": (changing(one_missing), BadVectors, "1 vectors for 2 texts"),
    "same index": (changing(same_index), BadVectors, "index"),
}


@pytest.mark.parametrize(("respond", "error", "words"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_each_bad_answer_becomes_its_error(respond: Respond, error: type[Exception], words: str) -> None:
    """The class says what to do: wait, halve the batch, or end the run; the key is in no message."""
    with serving(respond) as provider, pytest.raises(error, match=words) as raised:
        embed(embedder_of(provider.url, timeout=0.3 if respond is slowly else 10), "one", "two")

    assert KEY not in str(raised.value)


def test_a_server_that_is_not_there_may_come_back() -> None:
    """No connection is an error that passes."""
    with serving() as provider:
        url = provider.url

    with pytest.raises(EmbedderBusy, match=r"127\.0\.0\.1"):
        embed(embedder_of(url), "text")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    """Neither key nor text is sent."""
    file = tmp_path / "server.pem"
    command = "openssl req -x509 -newkey ed25519 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    file.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())

    with (
        serving(certificate=file) as provider,
        pytest.raises(EmbedderRefused, match=r"certificate that is refused .*SSL_CERT_FILE"),
    ):
        embed(embedder_of(provider.url), "text")

    assert provider.asked == []


def test_after_a_refusal_fewer_requests_run_and_none_before_its_time() -> None:
    """A pause that the server asked for holds for all threads."""
    paused: list[float] = []
    with serving(failing(429, Retry_After="3")) as provider:
        embedder = embedder_of(provider.url, pause=paused.append)
        with pytest.raises(EmbedderBusy):
            embed(embedder, "one")
        provider.respond = Exchange.succeed
        embed(embedder, "one")

    assert len(paused) == 1
    assert 2 < paused[0] <= 3


def test_many_threads_share_an_embedder() -> None:
    """Each gets the vectors of its own texts."""
    found: dict[int, bool] = {}

    def work(number: int) -> None:
        texts = [f"{number} {place}" for place in range(5)]
        expected = np.stack([vector_of(text) for text in texts])
        found[number] = bool(np.allclose(embed(embedder, *texts), expected, atol=1e-6))

    with serving() as provider:
        embedder = embedder_of(provider.url)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == dict.fromkeys(range(12), True)


def test_an_estimate_of_tokens_comes_closer_to_what_the_server_counts() -> None:
    """Of both scripts, by the tokens that answers say."""
    with serving() as provider:
        embedder = embedder_of(provider.url)
        text = "营业收入下降，归属于上市公司股东的净利润增长。"
        first = embedder.tokenize([text])[0].token_count
        for _ in range(20):
            embedder.embed([TokenizedText(text, first, first, 0)])
        last = embedder.tokenize([text])[0].token_count

    assert abs(last - 5) < abs(first - 5) / 2
