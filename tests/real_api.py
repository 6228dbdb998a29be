"""A real API to talk to in tests: a cluster that was offered, or a sandbox."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sbkube.edges import kubeconfig as configs
from sbkube.edges.cluster import HttpCluster, connect


@dataclass(frozen=True)
class Server:
    """Where to talk to."""

    kubeconfig: str
    sandbox: bool

    def connect(self, **more: object) -> HttpCluster:
        """A new connection of its own."""
        return connect(configs.load(self.kubeconfig, None, os.environ), **more)  # type: ignore[arg-type]
