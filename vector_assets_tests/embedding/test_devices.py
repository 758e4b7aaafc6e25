"""What runs a model is chosen by the settings and by whether the machine has a GPU."""

import platform
import shutil

import pytest

from vector_assets.embedding.devices import Backend, Device, openvino_serves
from vector_assets.errors import InvalidSetting


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
    backend: Backend, device: Device, gpu: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the settings ask for something else."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi" if gpu else None)

    assert openvino_serves(backend, device) is expected


def test_openvino_on_cuda_is_refused() -> None:
    """Promise 11."""
    with pytest.raises(InvalidSetting, match="EMBEDDING_BACKEND"):
        openvino_serves("openvino", "cuda")
