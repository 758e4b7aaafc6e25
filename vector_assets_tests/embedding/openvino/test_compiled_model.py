"""The first calls of a process, which set up OpenVINO's use of numpy."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from vector_assets.embedding.openvino.compiled_model import CompiledModel
from vector_assets.embedding.openvino.conversion import conversion_name
from vector_assets.embedding.openvino.library import import_openvino

from ..embedders import openvino_embedder


def test_the_first_call_is_made_before_a_thread_can_make_one(
    tiny_model: Path, converted_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the thread that loads the model: of two first calls at once, each could wait for the other."""
    space = openvino_embedder(str(tiny_model), converted_models).space
    folder = converted_models / conversion_name(space)
    callers: list[threading.Thread] = []
    request_class = import_openvino().InferRequest
    infer = request_class.infer

    def noting(request: Any, *arguments: Any, **options: Any) -> Any:
        callers.append(threading.current_thread())
        return infer(request, *arguments, **options)

    monkeypatch.setattr(request_class, "infer", noting)

    CompiledModel(folder / "model.xml", space, lambda: 1, "auto", folder / "compiled")

    assert callers == [threading.current_thread()]


# A fresh process, because only the first calls of a process matter. The calls are as short as can be, and threads take
# turns as often as can be, so that some of these processes hang when nothing was called before.
FIRST_CALLS = """
import sys, threading
import numpy as np
from pathlib import Path
from vector_assets.embedding.openvino.compiled_model import CompiledModel
from vector_assets_tests.embedding.embedders import openvino_embedder

space = openvino_embedder(sys.argv[1], Path(sys.argv[2])).space
model = CompiledModel(Path(sys.argv[3]), space, lambda: 1, "auto", Path(sys.argv[4]))
barrier = threading.Barrier(2)
sys.setswitchinterval(1e-6)


def embed():
    barrier.wait()
    model.embed([np.array([7])])


threads = [threading.Thread(target=embed) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("attempt", range(4))
def test_two_first_calls_at_once_do_not_wait_for_one_another(
    attempt: int, tiny_model: Path, converted_models: Path
) -> None:
    """One waits in OpenVINO for Python's lock, the other with that lock for OpenVINO: nothing could end that."""
    folder = converted_models / conversion_name(openvino_embedder(str(tiny_model), converted_models).space)
    arguments = [str(tiny_model), str(converted_models), str(folder / "model.xml"), str(folder / "compiled")]

    subprocess.run([sys.executable, "-c", FIRST_CALLS, *arguments], check=True, timeout=60)
