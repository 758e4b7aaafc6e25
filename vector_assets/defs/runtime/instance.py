"""Dagster's own home and storage: a folder under the product's home, a database beside the product's."""

import os
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from ...errors import DAGSTER_DATABASE_URL, DatabaseFailed
from ...ray_cluster.cluster import RayTarget
from ...services import Services
from .ray_launcher import recorded_target, with_launcher

_NO_OUTPUT = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


def dagster_environment(services: Services, ray: RayTarget | None = None) -> dict[str, str]:
    """Give the environment in which any part of Dagster finds the same instance and the same settings.

    Writes dagster.yaml into the home folder unless DAGSTER_HOME names one that has its own. `ray`: a cluster that takes
    the runs as long as it answers; None: the one that was written before, if it still does.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or services.settings.home / "dagster")
    home.mkdir(parents=True, exist_ok=True)
    if "DAGSTER_HOME" not in os.environ or not (home / "dagster.yaml").exists():
        file = home / "dagster.yaml"
        file.write_text(with_launcher(_shipped_config().read_text("utf-8"), ray or recorded_target(file)), "utf-8")
    return {
        "DAGSTER_HOME": str(home),
        DAGSTER_DATABASE_URL: services.dagster_url.render_as_string(hide_password=False),
        "VECTOR_ASSETS_HOME": str(services.settings.home),
        "VECTOR_ASSETS_LANDING_DIR": str(services.settings.landing_dir),
        "EMBEDDING_MODEL": services.settings.embedding_model or "",
        "EMBEDDING_PROVIDER": services.settings.embedding_provider or "",
    }


def open_instance(services: Services, ray: RayTarget | None = None) -> dg.DagsterInstance:
    """Open the instance that `vector-assets dev` shows; its tables are made on first use.

    For the command line only, since it sets variables of this process: dagster.yaml names its database by one, and
    Dagster reads them whenever it opens a storage. No definition, resource or sensor sets any.

    What runs in this process print is not kept: to do so, Dagster would start four processes a run.

    Raises:
        DatabaseError: Dagster's database is not there, or lacks something.
        DatabaseFailed: Dagster's storage does not open.
    """
    environment = dagster_environment(services, ray)
    os.environ.update(environment)
    try:
        return dg.DagsterInstance.from_ref(InstanceRef.from_dir(environment["DAGSTER_HOME"], overrides=_NO_OUTPUT))
    except Exception as error:
        reason = f"Dagster's storage does not open: {' '.join(str(error).split())}"
        raise DatabaseFailed(reason, None) from error


def _shipped_config() -> Path:
    """dagster.yaml: in the package when it was installed from a wheel, above it in a checkout."""
    package = Path(__file__).parents[2]
    in_wheel = package / "dagster.yaml"
    return in_wheel if in_wheel.exists() else package.parent / "dagster.yaml"
