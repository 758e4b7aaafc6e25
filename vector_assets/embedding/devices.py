"""Chooses what runs the model, without loading a heavy library."""

import platform
import shutil
from importlib.util import find_spec
from typing import Literal

from ..errors import InvalidSetting

Backend = Literal["auto", "openvino", "torch"]
Precision = Literal["auto", "f32"]
"""`auto` is 16 bits where the hardware computes with them: bfloat16 on CPUs that have instructions for it, float16 on
NVIDIA's GPUs; elsewhere it is float32, which `f32` asks for everywhere."""
Device = Literal["auto", "cpu", "cuda", "mps"]


def openvino_serves(backend: Backend, device: Device) -> bool:
    """Return whether OpenVINO runs the model: `backend` asks for it, or is `auto` on a machine without a GPU.

    Raises:
        InvalidSetting: `backend` asks for it, but it is not installed or cannot use the device.
    """
    installed = find_spec("openvino") is not None
    if backend == "torch":
        return False
    if backend == "openvino":
        if device not in {"auto", "cpu"}:
            raise InvalidSetting("EMBEDDING_BACKEND", f"openvino does not run on {device!r}", "Use torch or auto.")
        if not installed:
            raise InvalidSetting(
                "EMBEDDING_BACKEND", "openvino is not installed", "pip install openvino, or use torch."
            )
        return True
    return installed and (device == "cpu" or (device == "auto" and not _has_gpu()))


def _has_gpu() -> bool:
    """Look for NVIDIA's tools, which come with its driver, or for a Mac whose arm64 processor contains a GPU."""
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    return shutil.which("nvidia-smi") is not None
