"""The place of the embedded database, or of the models, is full or can only be read: one line, or a slower start."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from vector_assets.embedding.openvino.conversion import conversion_name
from vector_assets.embedding.openvino.converted_models import ModelCache

from ..embedding.embedders import openvino_embedder
from .mounts import forbidden
from .places import SECONDS

needs_mounts = pytest.mark.skipif(bool(forbidden()), reason=forbidden())

# `vector-assets status` with a home that can only be read, that is too small, and that was given room.
_STATUS = """
import json, os, subprocess, sys
from pathlib import Path
from vector_assets_tests.faults.mounts import make_read_only, mount_small, private_mounts, resize

def ingest(home):
    command = [sys.executable, "-m", "vector_assets.cli", "ingest", str(Path(sys.argv[1], "landing"))]
    done = subprocess.run(command, env=os.environ | {"VECTOR_ASSETS_HOME": str(home)}, capture_output=True, text=True)
    # On a slow machine notices such as "opening the database ..." come before the result.
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.endswith(" ...")]
    print(json.dumps([done.returncode, said]), flush=True)

read_only, small = Path(sys.argv[1], "read_only"), Path(sys.argv[1], "small")
private_mounts()
for folder in (read_only, small, Path(sys.argv[1], "landing")):
    folder.mkdir()
make_read_only(read_only)
ingest(read_only)
mount_small(small, 8 << 20)
ingest(small)
resize(small, 400 << 20)
ingest(small)
"""

# Vectors of a model, from folders of converted models that can only be read.
_EMBED = """
import json, logging, sys
from pathlib import Path
from vector_assets_tests.faults.mounts import make_read_only, private_mounts

private_mounts()
for cache in sys.argv[2:]:
    make_read_only(Path(cache))
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
from vector_assets_tests.embedding.embedders import openvino_embedder

for cache in sys.argv[2:]:
    embedder = openvino_embedder(sys.argv[1], Path(cache))
    embedder.load()
    print(json.dumps([embedder.device, embedder.embed(embedder.tokenize(["the board"]))[0].tolist()]), flush=True)
"""

# Begins to make a model, and is killed at it.
_MAKE = """
import sys
from pathlib import Path
from vector_assets.embedding.openvino.converted_models import ModelCache

def make(folder):
    (folder / "model.bin").write_text("half of it")
    print("at work", flush=True)
    sys.stdin.readline()

ModelCache(Path(sys.argv[1]), "tiny").add("tiny", 0, make)
"""


def program(code: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run it to its end."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=2 * SECONDS)


@needs_mounts
def test_a_home_that_is_read_only_or_too_small_is_one_line() -> None:
    """Row: the embedded database's disk is full, or can only be read. With room, the same command works."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        done = program(_STATUS, folder)

    read_only, small, roomy = map(json.loads, done.stdout.splitlines())
    for code, (error,) in (read_only, small):
        assert code == 1
        assert error.startswith("Error: the embedded server of")
        assert "VECTOR_ASSETS_HOME" in error
    assert "Read-only file system" in read_only[1][0]
    assert roomy[0] == 0


@needs_mounts
def test_models_that_can_only_be_read_serve(tiny_model: Path, converted_models: Path, tmp_path: Path) -> None:
    """Row: the models' disk can only be read, with or without what OpenVINO keeps there: a slower start."""
    writable = openvino_embedder(str(tiny_model), converted_models)
    expected = writable.embed(writable.tokenize(["the board"]))[0]
    name = conversion_name(writable.space)
    shutil.copytree(converted_models / name, tmp_path / "kept" / name)
    shutil.copytree(tmp_path / "kept", tmp_path / "bare", ignore=shutil.ignore_patterns("compiled"))

    done = program(_EMBED, tiny_model, tmp_path / "kept", tmp_path / "bare")

    assert done.returncode == 0, done.stderr
    for device, vector in map(json.loads, done.stdout.splitlines()):
        assert device == writable.device
        assert np.dot(vector, expected) > 0.9999
    assert f"the compiled model cannot be kept in {tmp_path / 'bare' / name / 'compiled'}" in done.stderr


def test_a_conversion_that_was_killed_leaves_nothing_for_long(tmp_path: Path) -> None:
    """Row: the process is killed while it converts a model: the next one removes what it left, and makes it anew."""
    command = [sys.executable, "-c", _MAKE, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "at work\n"
        child.kill()
        child.wait(SECONDS)
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / ".converting-another-machine-1-abc").mkdir()
    (tmp_path / f".converting-{os.uname().nodename}-{os.getpid()}-abc").mkdir()

    def make(folder: Path) -> None:
        for name in ("model.xml", "model.bin"):
            (folder / name).write_text("all of it")

    added = ModelCache(tmp_path, "tiny").add("tiny", 0, make)

    assert added.folder == tmp_path / "tiny"
    left = {path.name for path in tmp_path.iterdir()} - {"tiny"}
    assert left == {".converting-another-machine-1-abc", f".converting-{os.uname().nodename}-{os.getpid()}-abc"}
