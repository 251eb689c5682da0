"""A Ray cluster of three machines on this one, for benchmarks/units.py: who can be killed in it, and its repair."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NODES = 3


class RayCluster:
    """Three machines of one CPU each; the first one has the head, to which commands are attached."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        self.repair()
        os.environ["RAY_ADDRESS"] = self._cluster.address

    def repair(self) -> None:
        """Let there be three machines again."""
        for node in list(self._cluster.worker_nodes):
            if not self._is_alive(node):
                self._cluster.remove_node(node, allow_graceful=False)
        while len(self._cluster.worker_nodes) < NODES - 1:
            self._cluster.add_node(num_cpus=1)

    def workers(self) -> list[tuple[int, ...]]:
        """Return the processes that compute units now."""
        raylets = [self._raylet(self._cluster.head_node), *map(self._raylet, self._cluster.worker_nodes)]
        return [(one,) for one in _computing() if _parent_of(one) in raylets]

    def machines(self) -> list[tuple[int, ...]]:
        """Return what dies with each machine but the head's: its raylet and those whom this started.

        Where only the head is left, others come first.
        """
        if not any(map(self._is_alive, self._cluster.worker_nodes)):
            self.repair()
        raylets = [self._raylet(node) for node in self._cluster.worker_nodes if self._is_alive(node)]
        return [(raylet, *(one for one in _started() if _parent_of(one) == raylet)) for raylet in raylets]

    def close(self) -> None:
        """End it."""
        self._cluster.shutdown()

    def _is_alive(self, node: Any) -> bool:
        return node.all_processes["raylet"][0].process.poll() is None

    def _raylet(self, node: Any) -> int:
        return int(node.all_processes["raylet"][0].process.pid)


@contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """Have a cluster for a while."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = RayCluster()
    try:
        yield cluster
    finally:
        cluster.close()


def _started() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _computing() -> list[int]:
    """Return the processes that Ray calls by our task."""
    return [one for one in _started() if _words(one).startswith("ray::do_far_unit")]


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0
