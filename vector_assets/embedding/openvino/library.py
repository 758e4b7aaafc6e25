"""Imports OpenVINO without its telemetry."""

import sys
from types import ModuleType


def import_openvino() -> ModuleType:
    """Import OpenVINO and keep it from reporting to a server.

    It reports each import and each conversion unless its telemetry package is missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino  # type: ignore[no-any-return]
