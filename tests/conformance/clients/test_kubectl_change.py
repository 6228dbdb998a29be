"""kubectl changes what is there: patches, labels, scale, set, and whole rollouts."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.clients.objects import config, definition, manifest, service, widget, workload
from conformance.clients.programs import Program

UNDO = "rolled back"


@pytest.fixture
def web(kubectl: Program) -> Program:
    """A namespace with a ready deployment `web` and a ConfigMap `c`."""
    kubectl("create", "-f", "-", stdin=manifest(workload("Deployment", "web"), config("c", a="1"), service("web")))
    kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    return kubectl


def container(kubectl: Program, at: int = 0) -> dict[str, Any]:
    """A container of the template of `web`."""
    found: dict[str, Any] = kubectl.read("deploy", "web")["spec"]["template"]["spec"]["containers"][at]
    return found


def test_three_kinds_of_patches(web: Program) -> None:
    side = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"s:1"}]}}}}'
    web("patch", "deploy", "web", "-p", side)
    assert {container(web, 0)["name"], container(web, 1)["name"]} == {"web", "side"}
    web("patch", "deploy", "web", "--type=merge", "-p", side)
    assert container(web)["name"] == "side"
    web("patch", "deploy", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":1}]')
    assert web.read("deploy", "web")["spec"]["replicas"] == 1
    assert "(no change)" in web("patch", "cm", "c", "-p", "{}").out
    assert "cannot unmarshal number" in web("patch", "cm", "c", "-p", '{"data":{"a":1}}', code=1).err
    web("patch", "deploy", "web", "--type=json", "-p", '[{"op":"remove","path":"/spec/nope"}]', code=1)
    assert 'configmaps "nope" not found' in web("patch", "cm", "nope", "-p", "{}", code=1).err


def test_patches_of_subresources(web: Program) -> None:
    web("patch", "deploy", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":3}}')
    before = web.read("deploy", "web")
    assert before["spec"]["replicas"] == 3
    web("patch", "cm", "c", "--subresource=status", "--type=merge", "-p", "{}", code=1)
    web("patch", "deploy", "web", "--type=merge", "-p", '{"status":{"collisionCount":7}}')
    assert "collisionCount" not in web.read("deploy", "web")["status"]
    web("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", '{"status":{"collisionCount":7}}')
    after = web.read("deploy", "web")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


def test_labels_and_annotations(web: Program) -> None:
    web("label", "cm", "c", "tier=front")
    assert "--overwrite is false" in web("label", "cm", "c", "tier=back", code=1).err
    web("label", "cm", "c", "tier=back", "--overwrite")
    web("annotate", "cm", "-l", "tier=back", "note=yes")
    meta = web.read("cm", "c")["metadata"]
    assert meta["labels"]["tier"] == "back" and meta["annotations"]["note"] == "yes"
    web("label", "cm", "c", "tier-")
    web("annotate", "cm", "c", "note-")
    assert "annotations" not in web.read("cm", "c")["metadata"]
    bad = '{"metadata":{"labels":{"tier":"_bad_"}}}'
    assert "a valid label must be" in web("patch", "cm", "c", "-p", bad, code=1).err


def test_scale(web: Program) -> None:
    assert (
        "Expected replicas to be 9"
        in web("scale", "deploy/web", "--replicas=1", "--current-replicas=9", code=1).err
    )
    web("scale", "deploy/web", "--replicas=4")
    web("rollout", "status", "deploy/web", "--timeout=20s")
    assert len(web.items("pods", "-l", "app=web")) == 4
    web("scale", "deploy", "-l", "app=web", "--replicas=0")
    web("wait", "pod", "-l", "app=web", "--for=delete", "--timeout=20s")


def test_set(web: Program) -> None:
    web("set", "image", "deploy/web", "web=nginx:3")
    web("set", "env", "deploy/web", "A=b")
    web("set", "env", "deploy/web", "--from=configmap/c", "--prefix=P_")
    web("set", "resources", "deploy/web", "--limits=cpu=200m,memory=64Mi", "--requests=cpu=100m")
    web("set", "serviceaccount", "deploy/web", "default")
    web("set", "selector", "svc/web", "app=other")
    found = container(web)
    assert found["image"] == "nginx:3" and found["resources"]["limits"] == {"cpu": "200m", "memory": "64Mi"}
    assert {e["name"] for e in found["env"]} == {"A", "P_A"}
    assert "A=b" in web("set", "env", "deploy/web", "--list").out
    assert web.read("svc", "web")["spec"]["selector"] == {"app": "other"}
    web("create", "rolebinding", "rb", "--role=r", "--user=ann")
    web("set", "subject", "rolebinding", "rb", "--user=bob")
    assert [s["name"] for s in web.read("rolebinding", "rb")["subjects"]] == ["ann", "bob"]
    assert "unable to find container" in web("set", "image", "deploy/web", "nope=x", code=1).err


def test_a_rollout_and_its_history(web: Program) -> None:
    web("annotate", "deploy/web", "kubernetes.io/change-cause=second")
    web("set", "image", "deploy/web", "web=nginx:2")
    web("rollout", "status", "deploy/web", "--timeout=20s")
    assert [row[0] for row in web("rollout", "history", "deploy/web").rows[1:]] == ["1", "2"]
    assert "nginx:1" in web("rollout", "history", "deploy/web", "--revision=1").out
    assert "server dry run" in web("rollout", "undo", "deploy/web", "--dry-run=server").out
    assert container(web)["image"] == "nginx:2"
    assert UNDO in web("rollout", "undo", "deploy/web").out
    web("rollout", "status", "deploy/web", "--timeout=20s")
    assert container(web)["image"] == "nginx:1"
    assert [row[0] for row in web("rollout", "history", "deploy/web").rows[1:]] == ["2", "3"]
    web("rollout", "undo", "deploy/web", "--to-revision=2")
    assert container(web)["image"] == "nginx:2"
    assert (
        "unable to find specified revision" in web("rollout", "undo", "deploy/web", "--to-revision=99", code=1).err
    )


def test_pausing_and_restarting(web: Program) -> None:
    pods = {p["metadata"]["uid"] for p in web.items("pods")}
    web("rollout", "pause", "deploy/web")
    web("set", "image", "deploy/web", "web=nginx:2")
    assert "already paused" in web("rollout", "pause", "deploy/web", code=1).err
    assert "can't restart paused deployment" in web("rollout", "restart", "deploy/web", code=1).err
    assert {p["metadata"]["uid"] for p in web.items("pods")} == pods
    web("rollout", "resume", "deploy/web")
    web("rollout", "restart", "deploy/web")
    web("rollout", "status", "deploy/web", "--timeout=20s")
    assert not pods & {p["metadata"]["uid"] for p in web.items("pods")}


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_rollouts_of_other_workloads(kubectl: Program, kind: str) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(workload(kind, "w")))
    what = f"{kind.lower()}/w"
    kubectl("rollout", "status", what, "--timeout=20s")
    before = {p["metadata"]["uid"] for p in kubectl.items("pods")}
    kubectl("set", "image", what, "w=nginx:2")
    kubectl("rollout", "status", what, "--timeout=20s")
    found = kubectl.items("pods")
    assert {p["spec"]["containers"][0]["image"] for p in found} == {"nginx:2"}
    assert not before & {p["metadata"]["uid"] for p in found}
    assert [row[0] for row in kubectl("rollout", "history", what).rows[1:]] == ["1", "2"]
    assert UNDO in kubectl("rollout", "undo", what).out
    kubectl("rollout", "status", what, "--timeout=20s")
    assert {p["spec"]["containers"][0]["image"] for p in kubectl.items("pods")} == {"nginx:1"}


def test_a_rollout_that_gets_nowhere(kubectl: Program) -> None:
    sick = workload("Deployment", "web", fail="ImagePullBackOff")
    sick["spec"]["progressDeadlineSeconds"] = 1
    kubectl("apply", "-f", "-", stdin=manifest(sick))
    said = kubectl("rollout", "status", "deploy/web", "--timeout=20s", code=1).said
    assert "exceeded its progress deadline" in said
    row = kubectl("get", "pods").rows[0]
    assert row[1:3] in (["0/1", "ImagePullBackOff"], ["0/1", "ErrImagePull"])


def test_custom_resources(kubectl: Program) -> None:
    group = f"{kubectl.namespace}.example.com"
    kubectl("apply", "-f", "-", stdin=manifest(definition(group)))
    kubectl("wait", f"crd/widgets.{group}", "--for=condition=Established", "--timeout=20s")
    name = f"widgets.{group}"
    kubectl("apply", "-f", "-", stdin=manifest(widget(group, "w", size=2)))
    assert kubectl("get", name).rows == [["w", "2"]]
    assert "How many there are." in kubectl("explain", f"{name}.spec").out
    assert (
        "greater than or equal to 1"
        in kubectl("apply", "-f", "-", stdin=manifest(widget(group, "x", size=0)), code=1).err
    )
    assert (
        'unknown field "spec.nope"'
        in kubectl("apply", "-f", "-", stdin=manifest(widget(group, "x", size=1, nope=1)), code=1).err
    )
    kubectl("scale", f"{name}/w", "--replicas=5")
    kubectl("patch", f"{name}/w", "--type=merge", "--subresource=status", "-p", '{"status":{"size":3}}')
    found = kubectl.read(f"{name}/w")
    assert (found["spec"], found["status"]) == ({"size": 5, "colour": "red"}, {"size": 3})
    kubectl("wait", f"{name}/w", "--for=jsonpath={.status.size}=3", "--timeout=20s")
    refused = kubectl("patch", f"{name}/w", "--type=strategic", "-p", "{}", code=1)
    assert "strategic-merge-patch" in refused.err
    kubectl("delete", "crd", name)
    kubectl("get", "--raw", f"/apis/{group}/v1/widgets", code=1)
