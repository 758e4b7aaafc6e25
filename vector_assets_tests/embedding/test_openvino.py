"""OpenVINO against sentence-transformers: the bundled model, tiny ones of other shapes, and what cannot be served."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from vector_assets.embedding.devices import openvino_serves
from vector_assets.embedding.model_files import describe_space, find_model
from vector_assets.embedding.openvino import conversion
from vector_assets.embedding.openvino import converted_models as model_cache
from vector_assets.embedding.openvino.conversion import conversion_name
from vector_assets.embedding.openvino.converted_models import ModelCache
from vector_assets.embedding.openvino.embedder import OpenVINOEmbedder
from vector_assets.embedding.openvino.int8 import int8_name
from vector_assets.embedding.openvino.parity import PARITY_TEXTS
from vector_assets.embedding.token_counter import TokenCounter
from vector_assets.embedding.torch_embedder import SentenceTransformerEmbedder
from vector_assets.errors import ConversionFailed, InvalidSetting

from .tiny_models import WORDS, make_tiny_model

# Texts without any sense, which 8 bits are not fitted to, among them: whoever rounds more shows there first.
TEXTS = [*PARITY_TEXTS, "", "   ", "word " * 600, "\u200b\u00a0 \U0001f642"]
SENSELESS_COSINE = 0.997


def make_embedder(model: str, cache: Path, precision: str = "auto", **prompts: str) -> OpenVINOEmbedder:
    """As the wiring makes it."""
    folder = find_model(model)
    space = describe_space(folder, **prompts)
    counter = TokenCounter(folder, space)
    by_torch = SentenceTransformerEmbedder(folder, space, counter, "cpu")
    return OpenVINOEmbedder(folder, space, counter, cache, precision, by_torch)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the bundled model's conversion for all tests that use it."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def embedder(cache: Path) -> OpenVINOEmbedder:
    """The bundled model, converted."""
    embedder = make_embedder("all-MiniLM-L6-v2", cache)
    embedder.load()
    return embedder


def test_vectors_are_those_of_the_reference(embedder: OpenVINOEmbedder) -> None:
    """Each alone and all together, in order, float32, of length 1."""
    reference = embedder._torch_embedder.embed(embedder.tokenize(TEXTS))

    together = embedder.embed(embedder.tokenize(TEXTS))
    alone = np.concatenate([embedder.embed(embedder.tokenize([text])) for text in TEXTS])

    assert embedder.device.startswith("OpenVINO")
    assert together.dtype == np.float32
    for vectors in (together, alone):
        cosines = (vectors * reference).sum(axis=1)
        assert cosines[: len(PARITY_TEXTS)].min() > 0.999
        assert cosines.min() > SENSELESS_COSINE
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-2)


def test_f32_on_request_is_nearer(cache: Path, embedder: OpenVINOEmbedder) -> None:
    """The same conversion, other arithmetic."""
    exact = make_embedder("all-MiniLM-L6-v2", cache, "f32")

    vectors = exact.embed(exact.tokenize(TEXTS))

    assert exact.device == "OpenVINO on cpu, f32"
    assert (vectors * embedder._torch_embedder.embed(exact.tokenize(TEXTS))).sum(axis=1).min() > 0.999999


def test_a_question_is_embedded_with_its_prompt(cache: Path) -> None:
    """And a document with its own."""
    prompted = make_embedder("all-MiniLM-L6-v2", cache, "f32", document_prompt="passage: ", query_prompt="query: ")
    embedder = make_embedder("all-MiniLM-L6-v2", cache, "f32")

    question = prompted.embed_query("net sales")
    document = prompted.embed(prompted.tokenize(["net sales"]))[0]

    assert np.dot(question, embedder.embed_query("query: net sales")) > 0.9999
    assert np.dot(document, embedder.embed_query("passage: net sales")) > 0.9999


def test_threads_do_not_mix_their_texts(embedder: OpenVINOEmbedder) -> None:
    """Several calls at once, each with lengths of its own."""
    texts = [f"net sales of segment {number} " * (number % 9 + 1) for number in range(64)]
    expected = embedder.embed(embedder.tokenize(texts))
    found: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        for at in range(number, 64, 4):
            found[at] = embedder.embed(embedder.tokenize([texts[at]]))[0]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for at, vector in found.items():
        assert np.dot(vector, expected[at]) > 0.999
    assert len(found) == 64


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize("shape", ["bert", "xlm-roberta", "mpnet"])
def test_other_shapes_and_poolings_convert(shape: str, pooling: str, tmp_path: Path) -> None:
    """With padding of every length beside them."""
    embedder = make_embedder(str(make_tiny_model(tmp_path, shape, pooling)), tmp_path / "cache", "f32")
    texts = [" ".join(WORDS[:count]) for count in range(len(WORDS))] + ["the board " * 100]

    vectors = embedder.embed(embedder.tokenize(texts))

    assert embedder.device.startswith("OpenVINO")
    reference = embedder._torch_embedder.embed(embedder.tokenize(texts))
    assert (vectors * reference).sum(axis=1).min() > 0.9999


def test_a_warm_cache_needs_no_torch(cache: Path, embedder: OpenVINOEmbedder) -> None:
    """Neither transformers nor sentence_transformers, nor the telemetry."""
    code = f"""
import sys
from pathlib import Path
from vector_assets_tests.embedding.test_openvino import make_embedder
embedder = make_embedder("all-MiniLM-L6-v2", Path({str(cache)!r}))
embedder.embed(embedder.tokenize(["net sales"]))
embedder.embed_query("net sales")
print(sorted({{"torch", "transformers", "sentence_transformers", "openvino"}} & set(sys.modules)))
print(sys.modules["openvino_telemetry"])
"""

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed == "['openvino']\nNone\n"


def test_a_conversion_that_differs_is_refused_and_torch_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning that says why; the next process does not try again."""
    model = str(make_tiny_model(tmp_path, "bert", "mean"))
    monkeypatch.setattr(conversion, "_least_cosine", lambda *_: 0.98)
    embedder = make_embedder(model, tmp_path / "cache")

    embedder.load()

    assert embedder.device.startswith("torch on cpu")
    assert "cosine 0.9800" in caplog.text
    assert "torch serves it" in caplog.text
    assert embedder.embed(embedder.tokenize(["the board"])).shape == (1, 32)
    monkeypatch.undo()
    with pytest.raises(ConversionFailed, match=r"0\.9800"):
        ModelCache(tmp_path / "cache", "tiny").find(conversion_name(embedder.space))


def test_a_model_that_openvino_cannot_run_is_served_by_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the conversion raises."""
    import openvino

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(openvino, "convert_model", refuse)
    embedder = make_embedder(str(make_tiny_model(tmp_path, "bert", "mean")), tmp_path / "cache")

    embedder.load()

    assert embedder.device.startswith("torch on cpu")
    assert "no such operator" in caplog.text


@pytest.mark.parametrize("damage", ["cut short", "flipped byte", "no weights", "no list", "broken list"])
def test_a_broken_cache_is_made_anew(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is noticed before it is used."""
    model = str(make_tiny_model(tmp_path, "bert", "mean"))
    first = make_embedder(model, tmp_path / "cache", "bf16")
    expected = first.embed(first.tokenize(["the board"]))
    folder = tmp_path / "cache" / conversion_name(first.space)
    weights = (folder / "model.bin").read_bytes()
    {
        "cut short": lambda: (folder / "model.bin").write_bytes(weights[: len(weights) // 2]),
        "flipped byte": lambda: (folder / "model.bin").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1])),
        "no weights": lambda: (folder / "model.bin").unlink(),
        "no list": lambda: (folder / "conversion.json").unlink(),
        "broken list": lambda: (folder / "conversion.json").write_text("{"),
    }[damage]()

    second = make_embedder(model, tmp_path / "cache", "bf16")

    assert np.dot(second.embed(second.tokenize(["the board"]))[0], expected[0]) > 0.999
    assert second.device.startswith("OpenVINO")
    assert "is made anew" in caplog.text
    assert (folder / "model.bin").read_bytes() == weights


def test_a_cache_that_cannot_be_written_is_said_and_torch_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "cache").write_text("")
    embedder = make_embedder(str(make_tiny_model(tmp_path, "bert", "mean")), tmp_path / "cache")

    embedder.load()

    assert embedder.device.startswith("torch on cpu")
    assert "cannot be written" in caplog.text


def test_a_full_disk_is_said_and_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once there is room, the model is converted."""
    model = str(make_tiny_model(tmp_path, "bert", "mean"))
    usage = model_cache.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(model_cache.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    full = make_embedder(model, tmp_path / "cache")
    full.load()
    assert full.device.startswith("torch")
    assert " free, " in caplog.text
    monkeypatch.undo()

    roomy = make_embedder(model, tmp_path / "cache")

    roomy.load()
    assert roomy.device.startswith("OpenVINO")


def test_a_plain_transformer_is_mean_pooled(tmp_path: Path) -> None:
    """A folder without any word on pooling, as sentence-transformers takes it."""
    make_tiny_model(tmp_path, "bert", "mean")
    embedder = make_embedder(str(tmp_path / "raw"), tmp_path / "cache", "f32")

    vectors = embedder.embed(embedder.tokenize(["the board approved", "net sales"]))

    assert embedder.space.pooling == "mean"
    assert embedder.device.startswith("OpenVINO")
    reference = embedder._torch_embedder.embed(embedder.tokenize(["the board approved", "net sales"]))
    assert (vectors * reference).sum(axis=1).min() > 0.9999


def test_two_that_convert_at_once_both_end_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one finds the place taken; nothing of its work is left."""
    model = str(make_tiny_model(tmp_path, "bert", "mean"))
    slow, quick = (make_embedder(model, tmp_path / "cache") for _ in range(2))
    put = model_cache._put

    def put_after_the_other(made: Path, target: Path) -> None:
        monkeypatch.setattr(model_cache, "_put", put)
        quick.load()
        put(made, target)

    monkeypatch.setattr(model_cache, "_put", put_after_the_other)

    slow.load()

    assert slow.device == quick.device
    assert slow.device.startswith("OpenVINO")
    names = {path.name for path in (tmp_path / "cache").iterdir()}
    assert names == {conversion_name(slow.space), int8_name(slow.space), "compiled"}


@pytest.mark.parametrize(
    ("backend", "device", "gpu", "expected"),
    [
        ("auto", "auto", False, True),
        ("auto", "auto", True, False),
        ("auto", "cpu", True, True),
        ("auto", "cuda", True, False),
        ("torch", "cpu", False, False),
        ("openvino", "auto", True, True),
    ],
)
def test_openvino_serves_where_there_is_no_gpu(
    backend: str, device: str, gpu: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless something else is asked for."""
    monkeypatch.setattr("vector_assets.embedding.devices._gpu_is_there", lambda: gpu)

    assert openvino_serves(backend, device) is expected


def test_openvino_on_cuda_is_refused() -> None:
    """Promise 11."""
    with pytest.raises(InvalidSetting, match="EMBEDDING_BACKEND"):
        openvino_serves("openvino", "cuda")


def test_the_list_of_a_conversion_holds_digests(cache: Path, embedder: OpenVINOEmbedder) -> None:
    """Of both files."""
    known = json.loads((cache / conversion_name(embedder.space) / "conversion.json").read_text())

    assert set(known) == {"model.xml", "model.bin"}


# A fresh process, for it is the first calls of a process that matter. They are as short as can be, and threads take
# turns as often: so some of such processes hang if nothing was called before.
FIRST_CALLS = """
import sys, threading
import numpy as np
from pathlib import Path
from vector_assets_tests.embedding.test_openvino import make_embedder

embedder = make_embedder("all-MiniLM-L6-v2", Path(sys.argv[1]))
embedder.load()
barrier = threading.Barrier(2)
sys.setswitchinterval(1e-6)


def embed():
    embedder._compiled._request()
    barrier.wait()
    embedder._compiled.embed([np.array([100])])


threads = [threading.Thread(target=embed) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("attempt", range(8))
def test_two_first_calls_at_once_do_not_wait_for_one_another(
    attempt: int, embedder: OpenVINOEmbedder, cache: Path
) -> None:
    """One in OpenVINO for Python's lock, the other with that lock for OpenVINO: nobody could end that."""
    subprocess.run([sys.executable, "-c", FIRST_CALLS, str(cache)], check=True, timeout=60)
