"""Which servers the scenarios can run against."""

from __future__ import annotations

import os

from conformance import envtest

SERVERS = ("sandbox", "kubeconfig", "envtest")


def why_not(name: str) -> str:
    """Why this server is not there; empty when it is."""
    if name == "kubeconfig" and not os.environ.get("SBKUBE_TEST_KUBECONFIG"):
        return "no cluster is offered: SBKUBE_TEST_KUBECONFIG is not set"
    if name == "envtest" and (missing := envtest.missing(os.environ)):
        return f"there is no kube-apiserver to start: {missing}"
    return ""
