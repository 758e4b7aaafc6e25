"""A Ray cluster on this machine, for trying: a program that starts a head and workers, and ends with all of them.

Arguments: the number of workers, the port of the pages and the jobs, the directory of Ray's files.
"""

import os
import signal
import sys

# Ray listens on all addresses where it supports clusters of several machines. Where this says that it does not, it
# listens on loopback only.
_LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
READY = "vector_assets: all nodes run"
"""What the program prints when it has started them."""

_HOST = "127.0.0.1"
# Runs pass nothing through Ray's object store; this is near the smallest that Ray takes.
_OBJECT_STORE_BYTES = 80_000_000


def main() -> None:
    """Start the nodes, say so, and wait for a signal."""
    workers, port, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    os.environ.update(_LOOPBACK_ONLY, RAY_TMPDIR=folder)
    from ray.cluster_utils import Cluster

    node = {"node_ip_address": _HOST, "object_store_memory": _OBJECT_STORE_BYTES}
    # Without cores, the head takes no run: runs need one.
    pages = {"num_cpus": 0, "include_dashboard": True, "dashboard_host": _HOST, "dashboard_port": port}
    # None: a free port. At the usual one, a second cluster on the machine would take no jobs.
    agent = {"dashboard_agent_listen_port": None}
    cluster = Cluster(initialize_head=True, head_node_args=node | pages | agent)
    try:
        for _ in range(workers):
            cluster.add_node(num_cpus=1, **node)
        print(READY, flush=True)
        signal.pause()
    finally:
        cluster.shutdown()


def _leave(number: int, _: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
