"""Releases that the helm program and Helm's SDK hand to each other."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.clients.programs import Program

from sbkube.edges import kubeconfig
from sbkube.edges.cluster import HttpCluster, connect
from sbkube.edges.helm_sdk import SdkHelm
from sbkube.edges.sandbox import Sandbox
from sbkube.models.release import ReleaseSpec

CHART = Path(__file__).parent / "charts" / "shop"
WAIT = ("--wait", "--timeout", "30s")


@pytest.fixture
def cluster(sandbox: Sandbox) -> Iterator[HttpCluster]:
    """What the SDK's edge reads releases with."""
    connected = connect(kubeconfig.load(str(sandbox.kubeconfig()), None, os.environ))
    yield connected
    connected.close()


@pytest.fixture
def sdk(sandbox: Sandbox, cluster: HttpCluster) -> SdkHelm:
    """Helm in process."""
    return SdkHelm(sandbox.kubeconfig().read_text(), cluster=cluster)


def spec(helm: Program, **values: Any) -> ReleaseSpec:
    """The release `r` as the SDK takes it."""
    return ReleaseSpec("r", helm.namespace, str(CHART), values, timeout=30)


def colour(kubectl: Program) -> str:
    """What the release's ConfigMap says."""
    return str(kubectl.read("cm", "r")["data"]["colour"])


def test_the_program_goes_on_with_what_the_sdk_began(sdk: SdkHelm, helm: Program, kubectl: Program) -> None:
    go = threading.Event()
    sdk.install(spec(helm, colour="red"), go)
    sdk.upgrade(spec(helm, colour="green"), go)
    [listed] = helm("list", "--output", "json").json
    assert (listed["revision"], listed["status"]) == ("2", "deployed")
    assert helm("get", "values", "r", "--output", "json").json == {"colour": "green"}
    helm("upgrade", "r", str(CHART), "--set", "colour=white", *WAIT)
    assert colour(kubectl) == "white"
    helm("rollback", "r", "1", *WAIT)
    assert colour(kubectl) == "red"
    assert "Succeeded" in helm("test", "r").out
    assert [r.status for r in sdk.history("r", helm.namespace)] == ["superseded"] * 3 + ["deployed"]
    helm("uninstall", "r", *WAIT)
    assert sdk.releases(helm.namespace) == ()


def test_the_sdk_goes_on_with_what_the_program_began(sdk: SdkHelm, helm: Program, kubectl: Program) -> None:
    go = threading.Event()
    helm("install", "r", str(CHART), "--set", "colour=red")
    failed = ("--set", "colour=green,fail=ImagePullBackOff", "--wait", "--timeout", "1s")
    helm("upgrade", "r", str(CHART), *failed, code=1)
    [record] = sdk.releases(helm.namespace)
    assert (record.revision, record.status, record.values["colour"]) == (2, "failed", "green")
    sdk.rollback(spec(helm), 1, go)
    assert colour(kubectl) == "red"
    sdk.upgrade(spec(helm, colour="white"), go)
    assert colour(kubectl) == "white"
    history = helm("history", "r", "--output", "json").json
    assert [r["status"] for r in history] == ["superseded", "failed", "superseded", "deployed"]
    sdk.uninstall("r", helm.namespace, timeout=30, wait=True)
    assert kubectl.items("deploy,secrets") == [] and "not found" in helm("status", "r", code=1).said
