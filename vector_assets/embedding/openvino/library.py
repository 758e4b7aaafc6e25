"""OpenVINO without its telemetry."""

import sys
from types import ModuleType


def import_openvino() -> ModuleType:
    """The library. It reports each import and conversion to a server unless its telemetry package is missing."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino  # type: ignore[no-any-return]
