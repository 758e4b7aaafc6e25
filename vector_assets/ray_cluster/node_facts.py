"""What a node finds out about itself, for `vector-assets doctor --cluster`. It knows nothing of Ray."""

import hashlib
import os
import platform
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from ..errors import DAGSTER_DATABASE_URL, VectorAssetsError
from ..services import Services
from ..settings import load_settings

# Every node embeds it; equal models make equal vectors of it.
_LINE = "Net sales rose by 4 percent. 营业收入增长百分之四。"


@dataclass(frozen=True)
class NodeFacts:
    """A node as it sees itself. `problem` is set where it could not be asked, and nothing else is known then."""

    name: str
    problem: str = ""
    version: str = ""
    python: str = ""
    database: str = ""
    database_problem: str = ""
    lacks_dagster_url: bool = False
    lacks_dagster_driver: bool = False
    space: str = ""
    digest: str = ""
    device: str = ""
    vector: Sequence[float] = ()
    model_problem: str = ""
    home: str = ""
    home_problem: str = ""
    has_dagster: bool = False
    clock_off: float = 0.0
    cores: float = 0
    gpus: float = 0
    memory: float = 0
    is_head: bool = False

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read what `to_json` made."""
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Give the facts as JSON has them."""
        return asdict(self)


def gather(name: str) -> tuple[NodeFacts, float]:
    """Find out about this node. Return the facts, and the time of its clock."""
    from ..storage.database_url import printable_url

    dagster_url = os.environ.get(DAGSTER_DATABASE_URL, "")
    facts = NodeFacts(
        name=f"{name} {socket.gethostname()}",
        version=f"{version('vector_assets')} ({code_digest()})",
        python=platform.python_version(),
        has_dagster=shutil.which("dagster") is not None,
        lacks_dagster_url=not dagster_url,
        lacks_dagster_driver=dagster_url.startswith(("postgresql://", "postgres://")),
    )
    now = time.time()
    try:
        settings = load_settings()
    except VectorAssetsError as error:
        return replace(facts, database_problem=str(error)), now
    facts = replace(facts, home=str(settings.home), home_problem=_home_problem(settings.home))
    with Services(settings, creates=False, read_only=True) as services:
        try:
            facts = replace(facts, database=printable_url(services.url))
            _ = services.database
        except VectorAssetsError as error:
            return replace(facts, database_problem=str(error)), now
        return _with_model(facts, services), now


def _with_model(facts: NodeFacts, services: Services) -> NodeFacts:
    """Load the model, which converts it for this node's type of CPU if no run has done so yet."""
    try:
        services.load_embedder()
        vector = services.embedder.embed_query(_LINE)
    except VectorAssetsError as error:
        return replace(facts, model_problem=str(error))
    space = services.embedder.space
    return replace(
        facts,
        space=space.slug,
        digest=space.weights_digest,
        device=services.embedder.device,
        vector=[float(value) for value in vector],
    )


def _home_problem(home: Path) -> str:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def code_digest() -> str:
    """Name the installed code: two builds of one version differ in it."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:8]
