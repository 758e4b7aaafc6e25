"""Servers of one's own, by the forms of their answers, written down from memory: none of them was run."""

import json

import pytest

from vector_assets.domain.providers import PROVIDERS
from vector_assets.embedding.remote.answers import read_answer
from vector_assets.embedding.remote.model import RemoteModel
from vector_assets.embedding.remote.refusals import refusal
from vector_assets.errors import EmbedderBusy, EmbedderOverLimit, EmbedderRefused, TextsRefused

from .provider_server import serving
from .test_remote_embedder import embedder_of

MODEL = {"id": "org/model", "object": "model", "owned_by": "vllm", "max_model_len": 1024}


@pytest.mark.parametrize("listed", [[MODEL, {"id": "hash", "max_model_len": 77}], [{**MODEL, "max_model_len": 77}]])
def test_the_list_of_models_says_how_long_a_text_may_be(listed: list[dict[str, object]]) -> None:
    """By the model's name; the only one of a server may have another name there."""
    with serving() as provider:
        provider.documents["/v1/models"] = {"object": "list", "data": listed}

        assert embedder_of(provider.url, None, PROVIDERS["vllm"]).space.max_tokens == 77


@pytest.mark.parametrize(
    ("status", "document", "error", "said"),
    [
        (429, {"error": "Model is overloaded", "error_type": "overloaded"}, EmbedderOverLimit, "Model is overloaded"),
        (413, {"error": "batch size 40 > maximum 32", "error_type": "validation"}, TextsRefused, "40 > maximum 32"),
        (503, {"message": "not healthy", "type": "unhealthy"}, EmbedderBusy, "not healthy"),
        (400, {"object": "error", "message": "too long", "code": 400}, TextsRefused, "too long"),
        (404, {"error": {"message": 'model "m" not found, try pulling it first'}}, EmbedderRefused, "try pulling it"),
    ],
    ids=["TEI, busy", "TEI, batch", "TEI, ill", "vLLM", "Ollama"],
)
def test_what_a_server_says_is_shown(
    status: int, document: dict[str, object], error: type[Exception], said: str
) -> None:
    """In whichever form it has; the status alone decides what happens."""
    found = refusal(RemoteModel(PROVIDERS["tei"], "http://s/v1", "m"), status, {}, json.dumps(document).encode())

    assert type(found) is error
    assert said in str(found)


def test_an_answer_of_numbers_counts_the_tokens_of_the_prompt() -> None:
    """As Ollama writes it."""
    item = {"object": "embedding", "embedding": [0.6, 0.8], "index": 0}
    body = {"object": "list", "data": [item], "model": "m", "usage": {"prompt_tokens": 7}}

    answer = read_answer(json.dumps(body).encode(), 1)

    assert (answer.tokens, answer.vectors.shape) == (7, (1, 2))
