"""A Ray cluster that takes runs."""

from .family import VectorAssetsError


class RayUnreachable(VectorAssetsError):
    """Nothing that takes jobs answers at the address of a Ray cluster."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"no Ray cluster answers at {address} ({reason}). Check that its head runs and that run_launcher in "
            "dagster.yaml has the address of its pages, e.g. http://head.example:8265."
        )
        self.address = address


class NoRayLauncher(VectorAssetsError):
    """dagster.yaml starts runs in another way than on a Ray cluster."""

    def __init__(self, launcher: str) -> None:
        super().__init__(
            f"dagster.yaml starts runs by {launcher}, not on a Ray cluster. Use its block run_launcher for Ray, or try "
            "a cluster on this machine: vector-assets dev --ray."
        )
        self.launcher = launcher


class ClusterDidNotAnswer(VectorAssetsError):
    """The job that asks the nodes ended without an answer."""

    def __init__(self, address: str, status: str, line: str) -> None:
        super().__init__(
            f"the Ray cluster at {address} took the job that asks its nodes, which did not answer ({status}: {line}). "
            "Install vector_assets on the head in the version that is used here."
        )
        self.address = address
        self.status = status


class RayDidNotStart(VectorAssetsError):
    """The Ray cluster for trying did not start on this machine."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(f"Ray did not start: {reason}. Read {log}, or run vector-assets dev without --ray.")


class PoolLargerThanCluster(VectorAssetsError):
    """More runs may embed at once than the cluster takes; the others would wait in Ray and count as starting."""

    def __init__(self, limit: int, slots: int) -> None:
        super().__init__(
            f"the pool vector_assets_embedder lets {limit} runs embed at once, and the cluster takes {slots}: others "
            f"would wait in Ray until they are failed as not started. Run dagster instance concurrency set "
            f"vector_assets_embedder {max(slots, 1)}."
        )
        self.limit = limit
        self.slots = slots


class LauncherAsksForNothing(VectorAssetsError):
    """Ray starts a run that asks for no resources on the head, however many there are already."""

    def __init__(self) -> None:
        super().__init__(
            "the launcher asks for no cores, so that Ray starts all runs on its head. Set num_cpus in run_launcher of "
            "dagster.yaml to the cores of a node."
        )
