"""kubectl waits and deletes: conditions, cascades, namespaces, drained nodes."""

from __future__ import annotations

import pytest
from conformance.clients.objects import config, manifest, pod, workload
from conformance.clients.programs import Program, until


def uids(kubectl: Program) -> set[str]:
    """The pods of a namespace."""
    return {p["metadata"]["uid"] for p in kubectl.items("pods")}


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_cascades(kubectl: Program, cascade: str) -> None:
    web = manifest(workload("Deployment", "web"))
    kubectl("create", "-f", "-", stdin=web)
    kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    before = uids(kubectl)
    kubectl("delete", "deploy/web", f"--cascade={cascade}", "--timeout=20s")
    if cascade == "orphan":
        kubectl("create", "-f", "-", stdin=web)  # it takes its pods back
        kubectl("rollout", "status", "deploy/web", "--timeout=20s")
        assert uids(kubectl) == before
        kubectl("delete", "deploy/web")
    until(lambda: not kubectl.items("rs,pods"))


def test_deleting_by_name_label_file_and_all(kubectl: Program) -> None:
    kubectl("create", "-f", "-", stdin=manifest(config("a"), config("b"), config("c")))
    assert "(server dry run)" in kubectl("delete", "cm", "a", "--dry-run=server").out
    kubectl("delete", "cm", "a")
    assert "(NotFound)" in kubectl("delete", "cm", "a", code=1).err
    kubectl("delete", "cm", "a", "--ignore-not-found")
    kubectl("delete", "-f", "-", stdin=manifest(config("b")))
    kubectl("delete", "cm", "-l", "app=web")
    kubectl("create", "secret", "generic", "s")
    kubectl("delete", "secret", "--all")
    assert kubectl.items("secret,cm", "-l", "app=web") == []


def test_pods_go_at_once_or_in_time(kubectl: Program) -> None:
    kubectl("create", "-f", "-", stdin=manifest(pod("slow"), pod("quick")))
    kubectl("delete", "pod", "quick", "--grace-period=0", "--force")
    kubectl("delete", "pod", "slow", "--wait=false")
    kubectl("wait", "pod/slow", "--for=delete", "--timeout=40s")


def test_finalizers_hold_what_is_deleted(kubectl: Program) -> None:
    held = config("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    kubectl("create", "-f", "-", stdin=manifest(held))
    kubectl("delete", "cm", "held", "--timeout=1s", code=1)
    assert kubectl.read("cm", "held")["metadata"]["deletionTimestamp"]
    kubectl("patch", "cm", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert kubectl.read("cm", "held") is None


def test_a_namespace_takes_everything_along(kubectl: Program) -> None:
    kubectl("create", "-f", "-", stdin=manifest(workload("StatefulSet", "db"), config("c")))
    kubectl("delete", "namespace", kubectl.namespace, "--timeout=40s")
    assert kubectl.read("namespace", kubectl.namespace) is None
    assert kubectl.items("sts,cm,pods") == []
    said = kubectl("create", "configmap", "late", code=1).err
    assert "not found" in said


def test_waiting(kubectl: Program) -> None:
    objects = (workload("Deployment", "web"), pod("sick", fail="ImagePullBackOff"), config("c", a="1"))
    kubectl("create", "-f", "-", stdin=manifest(*objects))
    assert "condition met" in kubectl("wait", "deploy/web", "--for=condition=Available", "--timeout=20s").out
    kubectl("wait", "pod", "-l", "app=web", "--for=condition=Ready", "--timeout=20s")
    kubectl("wait", "deploy/web", "--for=jsonpath={.status.readyReplicas}=2", "--timeout=20s")
    kubectl("wait", "cm/c", "--for=jsonpath={.data.a}", "--timeout=20s")
    kubectl("wait", "cm/c", "--for=create", "--timeout=20s")
    kubectl("wait", "cm/nope", "--for=delete", "--timeout=20s")
    said = kubectl("wait", "pod/sick", "--for=condition=Ready", "--timeout=0.5s", code=1).err
    assert "timed out waiting for the condition on pods/sick" in said
    assert "not found" in kubectl("wait", "cm/nope", "--for=condition=Ready", "--timeout=1s", code=1).err


def test_the_node(kubectl: Program) -> None:
    """Taints and cordons are kept; nothing is scheduled by them."""
    kubectl("create", "-f", "-", stdin=manifest(pod("mine")))
    kubectl("wait", "pod/mine", "--for=condition=Ready", "--timeout=20s")
    kubectl("taint", "node", "sandbox", "k=v:PreferNoSchedule")
    assert kubectl.read("node", "sandbox")["spec"]["taints"][0]["key"] == "k"
    kubectl("taint", "node", "sandbox", "k-")
    kubectl("cordon", "sandbox")
    assert "SchedulingDisabled" in kubectl("get", "node", "sandbox").out
    tried = ("drain", "sandbox", "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--dry-run=server")
    kubectl(*tried, "--pod-selector=app=mine")
    assert kubectl.read("pod", "mine")
    words = ("drain", "sandbox", "--force", "--ignore-daemonsets", "--pod-selector=app=mine", "--timeout=40s")
    kubectl(*words)
    assert kubectl.read("pod", "mine") is None
    kubectl("uncordon", "sandbox")
    assert "SchedulingDisabled" not in kubectl("get", "node", "sandbox").out
