"""A Kubernetes API for your tests: `kube_sandbox` fixtures for pytest, `sandbox()` without it.

    def test_it(kube_sandbox):
        kube_sandbox.client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours"}})
        kube_sandbox.fail("get", "ConfigMap", status=503)
        ...

It is a simulated API server (`sbkube sandbox`): real HTTPS on loopback, real discovery, server-side apply, watches
and workloads that become ready; no cluster, no containers. pytest finds the fixtures by itself once sbkube is
installed. Importing this module imports neither pytest nor anything heavy.
"""

from __future__ import annotations

from sbkube.testing.client import Client, NotReady
from sbkube.testing.projects import apply, open_project
from sbkube.testing.simulated import Fault, KubeSandbox, sandbox

__all__ = ["Client", "Fault", "KubeSandbox", "NotReady", "apply", "open_project", "sandbox"]

pytest_plugins = ("sbkube.testing.fixtures",)
