"""What runs the model, told without loading a heavy library."""

import platform
import shutil
from importlib.util import find_spec
from typing import Literal

from ..errors import InvalidSetting

Backend = Literal["auto", "openvino", "torch"]
Precision = Literal["auto", "bf16", "f32"]
"""`auto` is what the hardware does best without changing the vectors: 8-bit products on CPUs where they come out the
same, else bfloat16 where there are instructions for it, float16 on older GPUs. `bf16` is the same without 8 bits."""
Device = Literal["auto", "cpu", "cuda", "mps"]


def openvino_serves(backend: Backend, device: Device) -> bool:
    """Whether OpenVINO runs the model: asked for, or left to us on a machine without a GPU.

    Raises:
        InvalidSetting: it was asked for, but is not installed or cannot use the device.
    """
    installed = find_spec("openvino") is not None
    if backend == "torch":
        return False
    if backend == "openvino":
        if device not in {"auto", "cpu"}:
            raise InvalidSetting("EMBEDDING_BACKEND", f"openvino does not run on {device!r} here", "Use torch or auto.")
        if not installed:
            raise InvalidSetting(
                "EMBEDDING_BACKEND", "openvino is not installed", "pip install openvino, or use torch."
            )
        return True
    return installed and (device == "cpu" or (device == "auto" and not _gpu_is_there()))


def _gpu_is_there() -> bool:
    """NVIDIA's tools come with its driver; a Mac with an arm64 processor has a GPU in it."""
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    return shutil.which("nvidia-smi") is not None
