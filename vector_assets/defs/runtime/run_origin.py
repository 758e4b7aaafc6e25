"""Where runs that a command started appear in Dagster: on its Timeline, beside those that Dagster started."""

import getpass
from collections.abc import Mapping

import dagster as dg
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

# As `vector-assets dev` and workspace.yaml load it. Dagster calls a module's definitions a repository of this name.
_MODULE = "vector_assets.code_location"
_REPOSITORY = RemoteRepositoryOrigin(
    ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=_MODULE), _MODULE), "__repository__"
)

# Dagster looks runs up by it. `record_origin` has its value changed, and does not add it.
ORIGIN_TAG = {REPOSITORY_LABEL_TAG: _REPOSITORY.get_label()}


def command_tags() -> Mapping[str, str]:
    """Give the tags of what a command starts: that it did, and for which user."""
    return {"origin": "command line", **_user()}


def record_origin(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Say which definitions the run is of: the Timeline leaves runs out that are of none."""
    instance.run_storage.replace_job_origin(run, RemoteJobOrigin(_REPOSITORY, run.job_name))


def _user() -> Mapping[str, str]:
    try:
        return {"user": getpass.getuser()}
    except (OSError, KeyError):  # a container's user may have no name
        return {}
