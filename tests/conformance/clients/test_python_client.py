"""The official Python client against the sandbox: typed, dynamic, watches, errors, pages."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from conformance.clients.objects import config, definition, pod_template, service, widget, workload
from conformance.clients.programs import until

from sbkube.edges.sandbox import Sandbox

kubernetes = pytest.importorskip("kubernetes")
client, watches = kubernetes.client, kubernetes.watch
DynamicClient = kubernetes.dynamic.DynamicClient


@pytest.fixture(scope="module")
def api(sandbox: Sandbox) -> Iterator[Any]:
    """The client's connections."""
    made = kubernetes.config.new_client_from_config(str(sandbox.kubeconfig()))
    yield made
    made.close()


@pytest.fixture
def space(api: Any) -> str:
    """A namespace of its own."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    client.CoreV1Api(api).create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    return name


@pytest.fixture(scope="module")
def dynamic(api: Any) -> Any:
    """The dynamic client, which reads discovery."""
    return DynamicClient(api)


def error(wanted: int, act: Any, *words: Any, **more: Any) -> dict[str, Any]:
    """The Status in the body of the error that `act` raises."""
    with pytest.raises(client.ApiException) as caught:
        act(*words, **more)
    assert caught.value.status == wanted
    body: dict[str, Any] = json.loads(caught.value.body)
    assert (body["kind"], body["status"], body["code"]) == ("Status", "Failure", wanted)
    return body


def test_typed_core(api: Any, space: str) -> None:
    core = client.CoreV1Api(api)
    made = core.create_namespaced_config_map(space, client.V1ConfigMap(metadata={"name": "c"}, data={"a": "1"}))
    assert made.metadata.uid and made.metadata.creation_timestamp.tzinfo is not None
    core.patch_namespaced_config_map("c", space, {"data": {"b": "2"}})
    found = core.read_namespaced_config_map("c", space)
    assert found.data == {"a": "1", "b": "2"}
    found.data = {"c": "3"}
    core.replace_namespaced_config_map("c", space, found)
    stale = error(409, core.replace_namespaced_config_map, "c", space, made)
    assert stale["reason"] == "Conflict" and "the object has been modified" in stale["message"]
    core.create_namespaced_secret(space, client.V1Secret(metadata={"name": "s"}, string_data={"p": "x"}))
    assert core.read_namespaced_secret("s", space).data == {"p": "eA=="}
    core.create_namespaced_service(space, service("web"))
    core.create_namespaced_pod(space, {"metadata": {"name": "p"}, "spec": pod_template("p")["spec"]})
    until(lambda: core.read_namespaced_pod("p", space).status.phase == "Running")
    assert "log of p" in core.read_namespaced_pod_log("p", space)
    core.delete_collection_namespaced_secret(space, label_selector="x=y")
    assert core.read_namespaced_secret("s", space)
    core.delete_collection_namespaced_secret(space)
    assert core.list_namespaced_secret(space).items == []
    core.delete_namespaced_config_map("c", space)
    missing = error(404, core.read_namespaced_config_map, "c", space)
    assert missing["details"] == {"name": "c", "kind": "configmaps"}


def test_typed_workloads(api: Any, space: str) -> None:
    apps, batch = client.AppsV1Api(api), client.BatchV1Api(api)
    apps.create_namespaced_deployment(space, workload("Deployment", "web"))
    until(lambda: apps.read_namespaced_deployment_status("web", space).status.ready_replicas == 2)
    apps.patch_namespaced_deployment_scale("web", space, {"spec": {"replicas": 3}})
    assert apps.read_namespaced_deployment_scale("web", space).spec.replicas == 3
    until(lambda: apps.read_namespaced_deployment("web", space).status.ready_replicas == 3)
    apps.create_namespaced_stateful_set(space, workload("StatefulSet", "db", replicas=1))
    apps.create_namespaced_daemon_set(space, workload("DaemonSet", "agent"))
    until(lambda: apps.read_namespaced_daemon_set("agent", space).status.number_ready == 1)
    assert len(apps.list_namespaced_replica_set(space).items) == 1
    template = pod_template("j")
    template["spec"]["restartPolicy"] = "Never"
    batch.create_namespaced_job(space, {"metadata": {"name": "j"}, "spec": {"template": template}})
    until(lambda: batch.read_namespaced_job("j", space).status.succeeded == 1)
    cron = {"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}
    batch.create_namespaced_cron_job(space, {"metadata": {"name": "c"}, "spec": cron})
    apps.delete_namespaced_deployment("web", space, propagation_policy="Foreground")
    until(lambda: not apps.list_namespaced_replica_set(space).items)


def test_typed_policies(api: Any, space: str) -> None:
    rbac, net = client.RbacAuthorizationV1Api(api), client.NetworkingV1Api(api)
    rule = client.V1PolicyRule(api_groups=[""], resources=["pods"], verbs=["get"])
    rbac.create_namespaced_role(space, client.V1Role(metadata={"name": "r"}, rules=[rule]))
    assert rbac.read_namespaced_role("r", space).rules[0].verbs == ["get"]
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec = {"rules": [{"host": "a.example", "http": {"paths": paths}}]}
    net.create_namespaced_ingress(space, {"metadata": {"name": "i"}, "spec": spec})
    net.create_namespaced_network_policy(space, {"metadata": {"name": "n"}, "spec": {"podSelector": {}}})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3}}
    made = client.AutoscalingV2Api(api).create_namespaced_horizontal_pod_autoscaler(space, scaler)
    assert made.spec.min_replicas == 1
    budget = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}
    client.PolicyV1Api(api).create_namespaced_pod_disruption_budget(space, budget)
    storage = client.StorageV1Api(api)
    storage.create_storage_class({"metadata": {"name": space}, "provisioner": "example.com/none"})
    assert storage.read_storage_class(space).reclaim_policy == "Delete"
    storage.delete_storage_class(space)
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": space}}}
    assert client.AuthorizationV1Api(api).create_self_subject_access_review(review).status.allowed
    [node] = client.CoreV1Api(api).list_node().items
    assert node.status.node_info.kubelet_version
    assert client.VersionApi(api).get_code().git_version.startswith("v1.")


def test_custom_resources(api: Any, space: str) -> None:
    group = f"{space}.example.com"
    definitions, custom = client.ApiextensionsV1Api(api), client.CustomObjectsApi(api)
    definitions.create_custom_resource_definition(definition(group))
    where = (group, "v1", space, "widgets")
    made = custom.create_namespaced_custom_object(*where, widget(group, "w", size=2))
    assert made["spec"] == {"size": 2, "colour": "red"}
    custom.patch_namespaced_custom_object(*where, "w", {"spec": {"size": 3}})
    custom.patch_namespaced_custom_object_status(*where, "w", {"status": {"size": 3}})
    [found] = custom.list_namespaced_custom_object(*where)["items"]
    assert (found["spec"]["size"], found["status"]["size"]) == (3, 3)
    bad = error(422, custom.create_namespaced_custom_object, *where, widget(group, "x", size=0))
    assert bad["details"]["causes"][0]["field"] == "spec.size"
    definitions.delete_custom_resource_definition(f"widgets.{group}")
    until(
        lambda: (
            not definitions.list_custom_resource_definition(field_selector=f"metadata.name=widgets.{group}").items
        )
    )


def test_errors_carry_a_status(api: Any, space: str) -> None:
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    core.create_namespaced_config_map(space, config("c"))
    assert error(409, core.create_namespaced_config_map, space, config("c"))["reason"] == "AlreadyExists"
    assert error(404, core.create_namespaced_config_map, "nowhere", config("c"))["details"]["kind"] == "namespaces"
    bad = workload("Deployment", "web")
    bad["spec"]["template"]["spec"]["containers"] = []
    causes = error(422, apps.create_namespaced_deployment, space, bad)["details"]["causes"]
    assert {c["field"] for c in causes} == {"spec.template.spec.containers"}
    assert error(400, core.list_namespaced_pod, space, label_selector="a in")["reason"] == "BadRequest"
    assert error(400, core.list_namespaced_pod, space, field_selector="a=b")["reason"] == "BadRequest"
    core.create_namespaced_config_map(space, config("e"), dry_run="All")
    error(404, core.read_namespaced_config_map, "e", space)


def test_pages(api: Any, space: str) -> None:
    core = client.CoreV1Api(api)
    for number in range(7):
        core.create_namespaced_config_map(space, config(f"c{number}"))
    names: list[str] = []
    token, rest = None, []
    while True:
        page = core.list_namespaced_config_map(space, limit=3, _continue=token, label_selector="app=web")
        names += [i.metadata.name for i in page.items]
        rest.append(len(page.items))
        token = page.metadata._continue
        if not token:
            break
    assert names == [f"c{n}" for n in range(7)] and rest == [3, 3, 1]
    assert (
        error(400, core.list_namespaced_config_map, space, limit=3, _continue="nonsense")["reason"] == "BadRequest"
    )


def test_typed_watch(api: Any, space: str) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_config_map(space, config("a"))
    start = core.list_namespaced_config_map(space).metadata.resource_version
    core.create_namespaced_config_map(space, config("b", n="1"))
    core.patch_namespaced_config_map("b", space, {"data": {"n": "2"}})
    core.delete_namespaced_config_map("b", space)
    threading.Timer(0.3, core.create_namespaced_config_map, (space, config("late"))).start()
    seen = []
    watch = watches.Watch()
    for event in watch.stream(core.list_namespaced_config_map, space, resource_version=start, timeout_seconds=20):
        seen.append((event["type"], event["object"].metadata.name))
        if seen[-1][1] == "late":
            watch.stop()
    kept = [s for s in seen if s[1] != "kube-root-ca.crt"]
    assert kept == [("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "b"), ("ADDED", "late")]
    with pytest.raises(client.ApiException) as caught:
        list(
            watches.Watch().stream(core.list_namespaced_config_map, space, resource_version="1", timeout_seconds=5)
        )
    assert caught.value.status == 410


def test_dynamic_client(dynamic: Any, space: str) -> None:
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    made = maps.create(body=config("c", a="1"), namespace=space)
    assert made.data.a == "1"
    assert [i.metadata.name for i in maps.get(namespace=space, label_selector="app=web").items] == ["c"]
    maps.patch(body={"data": {"b": "2"}}, name="c", namespace=space, content_type="application/merge-patch+json")
    how = {"namespace": space, "field_manager": "here"}
    deployments.server_side_apply(body=workload("Deployment", "web"), name="web", **how)
    other = workload("Deployment", "web", "nginx:2")
    with pytest.raises(kubernetes.dynamic.exceptions.ConflictError) as caught:
        deployments.server_side_apply(body=other, name="web", namespace=space, field_manager="there")
    assert "FieldManagerConflict" in str(caught.value.body)
    deployments.server_side_apply(
        body=other, name="web", namespace=space, field_manager="there", force_conflicts=True
    )
    found = deployments.get(name="web", namespace=space)
    assert found.spec.template.spec.containers[0].image == "nginx:2"
    assert {"here", "there"} <= {m.manager for m in found.metadata.managedFields}
    maps.delete(name="c", namespace=space)
    with pytest.raises(kubernetes.dynamic.exceptions.NotFoundError):
        maps.get(name="c", namespace=space)


def test_dynamic_watch(dynamic: Any, space: str) -> None:
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    start = maps.get(namespace=space).metadata.resourceVersion
    for name in ("a", "b"):
        maps.create(body=config(name), namespace=space)
    seen = []
    for event in maps.watch(namespace=space, resource_version=start, label_selector="app=web", timeout=20):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 2:
            break
    assert seen == [("ADDED", "a"), ("ADDED", "b")]
