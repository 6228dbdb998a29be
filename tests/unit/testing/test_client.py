"""The test kit's client against a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbkube.errors import ClusterError
from sbkube.testing import KubeSandbox, NotReady

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours"}, "data": {"sky": "blue"}}


def deployment(name: str, fail: str = "") -> str:
    note = f"annotations: {{sandbox.sbkube.dev/fail: {fail}}}" if fail else ""
    return f"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: {name}}}
        spec:
          selector: {{matchLabels: {{app: {name}}}}}
          template:
            metadata:
              labels: {{app: {name}}}
              {note}
            spec: {{containers: [{{name: main, image: "nginx:1"}}]}}
        """


def test_what_is_applied_can_be_read_listed_and_deleted(kube_sandbox: KubeSandbox) -> None:
    client = kube_sandbox.client
    (stored,) = client.apply(MAP)
    assert stored["metadata"]["namespace"] == "default"
    assert stored["metadata"]["managedFields"][0]["manager"] == "test"
    assert client.get("ConfigMap", "colours") == stored
    assert [
        o["metadata"]["name"] for o in client.list("ConfigMap", "default", fields="metadata.name=colours")
    ] == ["colours"]
    client.delete("ConfigMap", "colours")
    client.delete("ConfigMap", "colours")
    assert client.get("ConfigMap", "colours") is None


def test_texts_and_files_may_hold_several_objects(kube_sandbox: KubeSandbox, tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: key, namespace: shop}\n"
    )
    kinds = [o["kind"] for o in kube_sandbox.client.apply(file, MAP)]
    assert kinds == ["Namespace", "Secret", "ConfigMap"]
    assert kube_sandbox.client.get("Secret", "key", "shop") is not None


def test_create_refuses_what_is_there(kube_sandbox: KubeSandbox) -> None:
    kube_sandbox.client.create(MAP)
    with pytest.raises(ClusterError) as caught:
        kube_sandbox.client.create(MAP)
    assert (caught.value.code, caught.value.reason) == (409, "AlreadyExists")


def test_kinds_are_found_without_a_version_core_and_newest_first(kube_sandbox: KubeSandbox) -> None:
    client = kube_sandbox.client
    assert client._type("Event").api_version == "v1"
    assert client._type("events.k8s.io/v1/Event").api_version == "events.k8s.io/v1"
    assert client._type("HorizontalPodAutoscaler").api_version == "autoscaling/v2"
    with pytest.raises(LookupError, match="no kind Frob"):
        client.get("Frob", "x")


def test_wait_ready_gives_the_ready_object(kube_sandbox: KubeSandbox) -> None:
    kube_sandbox.client.apply(deployment("web"))
    assert kube_sandbox.client.wait_ready("Deployment", "web")["status"]["readyReplicas"] == 1


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CrashLoopBackOff", "Unschedulable"])
def test_wait_ready_names_the_failing_pod_at_once(kube_sandbox: KubeSandbox, reason: str) -> None:
    kube_sandbox.client.apply(deployment("web", fail=reason))
    with pytest.raises(NotReady, match=rf"{reason}: Pod/web-"):
        kube_sandbox.client.wait_ready("Deployment", "web", timeout=60)


def test_wait_ready_says_what_was_missing_in_the_end(kube_sandbox: KubeSandbox) -> None:
    with pytest.raises(NotReady, match=r"ConfigMap/none in default is not ready after 0.1 s: NotFound"):
        kube_sandbox.client.wait_ready("ConfigMap", "none", timeout=0.1)


def test_raw_requests_give_json_or_text(kube_sandbox: KubeSandbox) -> None:
    assert kube_sandbox.client.raw("GET", "/version")["minor"] == "36"
    assert kube_sandbox.client.raw("GET", "/readyz") == "ok"
