"""kr8s against the sandbox."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from conformance.clients.objects import config, definition, pod, service, widget, workload
from conformance.clients.programs import until

from sbkube.edges.sandbox import Sandbox

kr8s = pytest.importorskip("kr8s")
from kr8s.objects import ConfigMap, Deployment, Pod, Service, new_class  # noqa: E402

# kr8s names the newest version that its authors tried.
pytestmark = pytest.mark.filterwarnings("ignore:Kubernetes version")


@pytest.fixture
def api(sandbox: Sandbox) -> Any:
    """A client in a new namespace."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    made = kr8s.api(kubeconfig=str(sandbox.kubeconfig()), namespace=name)
    kr8s.objects.Namespace({"metadata": {"name": name}}, api=made).create()
    return made


def test_create_get_patch_label_delete(api: Any) -> None:
    made = ConfigMap({**config("c", a="1")}, api=api)
    assert not made.exists()
    made.create()
    made.patch({"data": {"b": "2"}})
    made.label({"tier": "front"})
    made.annotate({"note": "yes"})
    found = ConfigMap.get("c", api=api, namespace=api.namespace)
    assert found.data == {"a": "1", "b": "2"}
    assert found.labels["tier"] == "front" and found.annotations["note"] == "yes"
    assert [c.name for c in api.get("configmaps", label_selector="tier=front")] == ["c"]
    found.delete()
    until(lambda: not made.exists())
    with pytest.raises(kr8s.NotFoundError):
        ConfigMap.get("c", api=api, namespace=api.namespace)


def test_deployments_scale_and_wait(api: Any) -> None:
    Service(service("web"), api=api).create()
    web = Deployment(workload("Deployment", "web"), api=api)
    web.create()
    web.wait("condition=Available", timeout=20)
    web.scale(4)
    until(lambda: web.ready() or web.refresh())
    assert web.replicas == 4 and len(web.pods()) == 4
    assert {p.name for p in Service.get("web", api=api, namespace=api.namespace).ready_pods()}
    web.delete(propagation_policy="Foreground")
    until(lambda: not web.exists())


def test_pods_and_their_logs(api: Any) -> None:
    made = Pod(pod("talk", log="hello"), api=api)
    made.create()
    made.wait("condition=Ready", timeout=20)
    assert list(made.logs()) == ["hello"]
    sick = Pod(pod("sick", fail="ImagePullBackOff"), api=api)
    sick.create()
    with pytest.raises(TimeoutError):
        sick.wait("condition=Ready", timeout=1)
    made.delete()
    made.wait("delete", timeout=40)


def test_watch(api: Any) -> None:
    ConfigMap(config("a"), api=api).create()
    threading.Timer(0.3, lambda: ConfigMap(config("b"), api=api).create()).start()
    seen = []
    for what, obj in api.watch("configmaps", label_selector="app=web"):
        seen.append((what, obj.name))
        if obj.name == "b":
            break
    assert seen == [("ADDED", "a"), ("ADDED", "b")]


def test_refusals(api: Any) -> None:
    ConfigMap(config("c"), api=api).create()
    with pytest.raises(kr8s.ServerError) as caught:
        ConfigMap(config("c"), api=api).create()
    assert "already exists" in str(caught.value)


def test_custom_resources(api: Any) -> None:
    group = f"{api.namespace}.example.com"
    kr8s.objects.CustomResourceDefinition(definition(group), api=api).create()
    kind = new_class(kind="Widget", version=f"{group}/v1", namespaced=True, plural="widgets")
    made = kind(widget(group, "w", size=2), api=api)
    made.create()
    made.refresh()
    assert made.spec.colour == "red"
    assert [w.name for w in api.get(f"widgets.{group}")] == ["w"]


def test_versions_and_kinds(api: Any) -> None:
    assert "sandbox" in api.version()["gitVersion"]
    assert {"pods", "deployments"} <= {r["name"] for r in api.api_resources()}
    assert api.whoami() == "sandbox-admin"
