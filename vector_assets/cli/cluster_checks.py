"""What `vector-assets doctor --cluster` prints: a table of the nodes, and what is to be fixed on each."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ..domain.wording import readable_bytes
from ..errors import LauncherAsksForNothing, PoolLargerThanCluster, VectorAssetsError
from ..translation import ngettext, translate
from .terminal import working

if TYPE_CHECKING:
    from rich.text import Text

    from ..ray_cluster.cluster import RayTarget
    from ..ray_cluster.node_facts import NodeFacts
    from ..services import Services

_DISPENSABLE = ("memory", "clock", "home", "device", "version")


def print_cluster(services: "Services") -> bool:
    """Ask all nodes and print what they say. Return whether nothing is to be fixed.

    Raises:
        VectorAssetsError: the cluster, or this machine itself, cannot be asked.
    """
    from ..defs.assets import EMBEDDER_POOL
    from ..defs.runtime.instance import open_instance
    from ..defs.runtime.ray_launcher import ray_target
    from ..ray_cluster.cluster import ask_cluster, require_ray
    from ..ray_cluster.node_checks import fixes
    from ..ray_cluster.node_facts import gather

    require_ray("vector-assets doctor --cluster")
    with open_instance(services) as instance:
        target = ray_target(instance, EMBEDDER_POOL)
    with working(translate("asking the nodes of {address}", address=target.address)):
        nodes = ask_cluster(target)
        own, _ = gather("")
    found = {number: list(fixes(node, own)) for number, node in enumerate(nodes)}
    _print_table(nodes, [not faults for faults in found.values()])
    lines = [f"{nodes[number].name}: {line}" for number, faults in found.items() for line in faults]
    lines += [str(error) for error in _faults_of_launcher(target, nodes)]
    for line in lines:
        click.echo(f"{click.style('FIX', fg='red')} {line}")
    if not lines:
        click.echo(ngettext("{number} node is ready", "{number} nodes are ready", len(nodes)))
    return not lines


def _faults_of_launcher(target: "RayTarget", nodes: Sequence["NodeFacts"]) -> Iterator[VectorAssetsError]:
    from ..ray_cluster.node_checks import run_slots

    if not (target.num_cpus or target.num_gpus):
        yield LauncherAsksForNothing()
    elif target.slots > (slots := run_slots(nodes, target.num_cpus, target.num_gpus)):
        yield PoolLargerThanCluster(target.slots, slots)


def _print_table(nodes: Sequence["NodeFacts"], healthy: Sequence[bool]) -> None:
    from .fitting_table import print_fitting
    from .terminal import out

    headers = {
        "node": translate("node"),
        "state": translate("state"),
        "version": translate("version"),
        "device": translate("device"),
        "home": translate("home"),
        "clock": translate("clock"),
        "cores": translate("cores"),
        "gpus": translate("GPUs"),
        "memory": translate("memory"),
    }
    rows = [_row(node, fine) for node, fine in zip(nodes, healthy, strict=True)]
    print_fitting(out, headers, rows, _DISPENSABLE, left=6)


def _row(node: "NodeFacts", fine: bool) -> list["Text"]:
    from rich.text import Text

    state = Text("ok", "green") if fine else Text("FIX", "red")
    name = translate("{node} (head)", node=node.name) if node.is_head else node.name
    figures = [f"{node.clock_off:+.1f} s", f"{node.cores:g}", f"{node.gpus:g}", readable_bytes(int(node.memory))]
    return [Text(name), state, *map(Text, [node.version, node.device, node.home, *figures])]
