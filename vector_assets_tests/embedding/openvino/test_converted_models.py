"""Converted models on disk: a broken one is noticed, and what the disk refuses does not stop the work."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from vector_assets.embedding.openvino.conversion import conversion_name
from vector_assets.embedding.openvino.converted_models import ModelCache

from ..embedders import openvino_embedder

FILES = ("model.xml", "model.bin")


@pytest.mark.parametrize("damage", ["shortened", "flipped byte", "no weights", "no record", "broken record"])
def test_a_broken_model_is_converted_again(
    damage: str, tiny_model: Path, converted_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is noticed before it is used."""
    good = openvino_embedder(str(tiny_model), converted_models)
    name = conversion_name(good.space)
    folder = tmp_path / name
    shutil.copytree(converted_models / name, folder)
    weights = (folder / "model.bin").read_bytes()
    {
        "shortened": lambda: (folder / "model.bin").write_bytes(weights[: len(weights) // 2]),
        "flipped byte": lambda: (folder / "model.bin").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1])),
        "no weights": lambda: (folder / "model.bin").unlink(),
        "no record": lambda: (folder / "conversion.json").unlink(),
        "broken record": lambda: (folder / "conversion.json").write_text("{"),
    }[damage]()
    embedder = openvino_embedder(str(tiny_model), tmp_path)

    vector = embedder.embed(embedder.tokenize(["the board"]))[0]

    assert embedder.device.startswith("OpenVINO")
    assert "converted again" in caplog.text
    assert (folder / "model.bin").read_bytes() == weights
    assert np.dot(vector, good.embed(good.tokenize(["the board"]))[0]) > 0.9999


def test_a_record_holds_the_digests_of_both_files(converted_models: Path, tiny_model: Path) -> None:
    """A change of either is noticed."""
    name = conversion_name(openvino_embedder(str(tiny_model), converted_models).space)

    record = json.loads((converted_models / name / "conversion.json").read_text())

    assert set(record) == set(FILES)


def test_a_folder_that_cannot_be_written_is_reported_and_torch_serves(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "models").write_text("")
    embedder = openvino_embedder(str(tiny_model), tmp_path / "models")

    embedder.load()

    assert embedder.device.startswith("torch on cpu")
    assert "cannot be written" in caplog.text


def test_a_full_disk_is_reported_and_not_remembered(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once there is room, the model is converted."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    full = openvino_embedder(str(tiny_model), tmp_path / "models")
    full.load()
    assert full.device.startswith("torch")
    assert "KiB are needed" in caplog.text
    monkeypatch.undo()
    roomy = openvino_embedder(str(tiny_model), tmp_path / "models")

    roomy.load()

    assert roomy.device.startswith("OpenVINO")


def test_two_that_convert_at_once_both_end_well(tmp_path: Path) -> None:
    """The slower one takes the result of the faster, and nothing of its own work is left."""

    def write_quickly(folder: Path) -> None:
        for file in FILES:
            (folder / file).write_text("the faster one's")

    def write_slowly(folder: Path) -> None:
        for file in FILES:
            (folder / file).write_text("the slower one's")
        ModelCache(tmp_path, "tiny").add("tiny", 0, write_quickly)

    added = ModelCache(tmp_path, "tiny").add("tiny", 0, write_slowly)

    assert added.xml.read_text() == "the faster one's"
    assert os.listdir(tmp_path) == ["tiny"]
