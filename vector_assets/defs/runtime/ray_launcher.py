"""Dagster's launcher that starts runs on a Ray cluster: as dagster.yaml says it, and as it is asked about."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import yaml

from ...errors import ExtraMissing, NoRayLauncher
from ...ray_cluster.cluster import RayTarget
from .pools import pool_limit

_CLASS = "RayRunLauncher"


def with_launcher(config: str, ray: RayTarget | None) -> str:
    """Give the text of dagster.yaml with the launcher, and as many runs at once as the cluster takes."""
    if ray is None:
        return config
    values = yaml.safe_load(config)
    options = {"address": ray.address, "num_cpus": int(ray.num_cpus)}
    values["run_launcher"] = {"module": "dagster_ray", "class": _CLASS, "config": {"ray": options}}
    values["concurrency"]["pools"]["default_limit"] = ray.slots
    # A run that waits in Ray counts as starting, and is failed as not started if it waits long.
    values["concurrency"]["runs"]["max_concurrent_runs"] = ray.slots
    return str(yaml.safe_dump(values, sort_keys=False))


def recorded_target(file: Path) -> RayTarget | None:
    """Read of which cluster a dagster.yaml that `with_launcher` made speaks; None if it does not run any more."""
    try:
        values = yaml.safe_load(file.read_text("utf-8"))
        options = values["run_launcher"]["config"]["ray"]
        slots = values["concurrency"]["pools"]["default_limit"]
        address = urlsplit(options["address"])
        socket.create_connection((address.hostname or "", address.port or 0), timeout=2).close()
    except (OSError, LookupError, TypeError, ValueError, yaml.YAMLError):
        return None
    return RayTarget(options["address"], num_cpus=options["num_cpus"], slots=slots)


def ray_target(instance: dg.DagsterInstance, pool: str) -> RayTarget:
    """Read where the instance sends its runs.

    Raises:
        ExtraMissing: its launcher is not installed.
        NoRayLauncher: it is another one.
    """
    try:
        launcher = instance.run_launcher
    except Exception as error:  # Dagster wraps what importing the class raises
        raise ExtraMissing("The launcher of dagster.yaml", "ray") from error
    if type(launcher).__name__ != _CLASS:
        raise NoRayLauncher(type(launcher).__name__)
    values = {name: getattr(launcher, name) for name in ("address", "runtime_env", "env_vars", "num_cpus", "num_gpus")}
    return RayTarget(
        values["address"],
        _runtime_env(values["runtime_env"] or {}, values["env_vars"] or []),
        values["num_cpus"] or 0,
        values["num_gpus"] or 0,
        pool_limit(instance, pool),
    )


def _runtime_env(runtime_env: dict[str, object], names: list[str]) -> dict[str, object]:
    """Give what runs get, with the variables that the launcher passes on from its own environment."""
    given = {}
    for entry in names:
        name, is_given, value = entry.partition("=")
        given[name] = value if is_given else os.environ.get(name, "")
    already = runtime_env.get("env_vars", {})
    assert isinstance(already, dict)
    return runtime_env | {"env_vars": {**already, **given}}
