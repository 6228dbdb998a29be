"""Fields of other managers: refused, taken with consent, or left to their owner."""

from __future__ import annotations

from typing import Any

from integration.conftest import Bench
from integration.test_apply import get
from shapes import configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey


def app(bench: Bench, *content: dict[str, Any], **settings: Any) -> None:
    """A project with one YAML app `a`."""
    bench.write("m.yaml", list(content))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, **settings)


def namespace(bench: Bench, server: HttpCluster) -> None:
    """The project's namespace, made by somebody else."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}
    server.create(body, manager="kubectl-create")


def placed(body: dict[str, Any], bench: Bench) -> dict[str, Any]:
    """An object in the project's namespace."""
    return {**body, "metadata": {**body["metadata"], "namespace": bench.namespace}}


def edit(server: HttpCluster, bench: Bench, kind: str, name: str, patch: dict[str, Any], manager: str) -> None:
    """A change by Update, as people and controllers make it."""
    group = "apps" if kind == "Deployment" else ""
    server.merge(ResourceKey(group, "v1", kind, bench.namespace, name), patch, manager=manager)


def test_all_conflicts_are_named_together_with_the_way_out(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    for name in ("a", "b"):
        api_server.apply(placed(configmap(name, x="theirs", w="theirs"), bench), manager="argocd", force=False)
    app(bench, configmap("a", x="ours", w="ours"), configmap("b", x="ours", z="new"))
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == 3
    problems = ran.json["problems"]
    assert ran.json["error"] == "field-conflict" and len(problems) == 3
    first = problems[0]["message"]
    assert "ConfigMap/a" in first and "data.w" in first and "'argocd' (Apply" in first
    assert problems[0]["place"]["file"].endswith("m.yaml") and problems[0]["place"]["line"]
    assert "--force-conflicts" in problems[0]["hint"]
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"]["x"] == "theirs"


def test_a_conflict_names_operation_and_time_of_an_update(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    api_server.create(placed(configmap("a", x="theirs"), bench), manager="operator")
    app(bench, configmap("a", x="ours"))
    message = bench.sbkube("plan", "-o", "json").json["problems"][0]["message"]
    assert "'operator' (Update since 20" in message


def test_fields_are_taken_with_consent_and_the_plan_says_so(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    api_server.create(placed(configmap("a", x="theirs", kept="1"), bench), manager="operator")
    app(bench, configmap("a", x="ours"))
    shown = bench.ok("plan", "--force-conflicts")
    assert "takes data.x from operator" in shown.out
    bench.ok("apply", "-y", "--force-conflicts")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "ours", "kept": "1"}
    assert bench.ok("plan", "--exit-status").code == 0
    detail = bench.ok("show", "latest", "-o", "json").json
    assert (detail.get("args") or detail["deployment"]["args"])["force_conflicts"] is True


def test_the_same_value_is_no_conflict_until_it_changes(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    api_server.apply(placed(configmap("a", x="1"), bench), manager="argocd", force=False)
    app(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    app(bench, configmap("a", x="2"))
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "argocd" in ran.err


def test_drift_goes_back_and_names_who_and_when(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, configmap("a", x="1", w="1"))
    bench.ok("apply", "-y")
    edit(api_server, bench, "ConfigMap", "a", {"data": {"x": "by hand", "theirs": "1"}}, "kubectl-edit")
    fields = bench.ok("plan", "-o", "json").json["apps"][0]["changes"][-1]["fields"]
    assert [(f["path"], f["cause"], f["manager"], f["operation"]) for f in fields] == [
        ("data.x", "drift", "kubectl-edit", "Update")
    ]
    assert fields[0]["time"]
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1", "w": "1", "theirs": "1"}


def test_a_field_that_others_set_on_our_object_is_theirs(bench: Bench, api_server: HttpCluster) -> None:
    """The object is ours, but not this field: wanting it from now on is a conflict, not drift."""
    app(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    edit(api_server, bench, "ConfigMap", "a", {"data": {"theirs": "1"}}, "operator")
    app(bench, configmap("a", x="1", theirs="2"))
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "data.theirs belongs to field manager 'operator'" in ran.err


def test_a_removed_field_is_shown_with_its_old_value(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, configmap("a", x="1", w="old"))
    bench.ok("apply", "-y")
    app(bench, configmap("a", x="1"))
    (field,) = bench.ok("plan", "-o", "json").json["apps"][0]["changes"][0]["fields"]
    assert (field["path"], field["before"], field["after"], field["cause"]) == ("data.w", "old", None, "ours")
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1"}


def test_replicas_are_left_to_the_autoscaler(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, deployment("web", replicas=1))
    bench.ok("apply", "-y")
    edit(api_server, bench, "Deployment", "web", {"spec": {"replicas": 3}}, "kube-controller-manager")
    changed = deployment("web", replicas=1)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2"
    app(bench, changed)
    assert "spec.replicas is left to kube-controller-manager" in bench.ok("plan").out
    bench.ok("apply", "-y")
    live = get(api_server, "Deployment", bench.namespace, "web", "apps")
    assert live is not None and live["spec"]["replicas"] == 3
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"
    assert bench.ok("plan", "--exit-status").code == 0


def test_an_injected_ca_bundle_stays(bench: Bench, api_server: HttpCluster) -> None:
    name = f"{bench.namespace}.example.com"
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": bench.namespace},
        "webhooks": [
            {
                "name": name,
                "clientConfig": {"url": "https://example.com/", "caBundle": "Cg=="},
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "rules": [
                    {"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"],
                     "resources": ["nothings"]}
                ],
            }
        ],
    }  # fmt: skip
    app(bench, hook)
    bench.ok("apply", "-y")
    key = ResourceKey("admissionregistration.k8s.io", "v1", hook["kind"], "", bench.namespace)  # type: ignore[arg-type]
    try:
        live = api_server.get(key)
        assert live is not None
        live["webhooks"][0]["clientConfig"]["caBundle"] = "SU5KRUNURUQ="
        api_server.merge(key, {"webhooks": live["webhooks"]}, manager="cainjector")
        hook["webhooks"][0]["failurePolicy"] = "Fail"  # type: ignore[index]
        app(bench, hook)
        bench.ok("apply", "-y")
        after = api_server.get(key)
        assert after is not None
        assert after["webhooks"][0]["clientConfig"]["caBundle"] == "SU5KRUNURUQ="
        assert after["webhooks"][0]["failurePolicy"] == "Fail"
    finally:
        api_server.delete(key)


def test_normalisation_never_shows(bench: Bench, api_server: HttpCluster) -> None:
    def pod(ports: list[dict[str, Any]]) -> dict[str, Any]:
        body = deployment("web")
        body["spec"]["template"]["spec"]["containers"][0]["ports"] = ports
        return body

    http, admin = {"containerPort": 80}, {"containerPort": 81, "protocol": "TCP"}
    app(bench, pod([http, admin]))
    bench.ok("apply", "-y")
    app(bench, pod([{**http, "protocol": "TCP"}, {"containerPort": 81}]))
    assert bench.ok("plan", "--exit-status").code == 0


def test_objects_of_another_project_are_refused(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    other = placed(configmap("a", x="1"), bench)
    other["metadata"]["labels"] = {"sbkube.dev/project": "other"}
    api_server.apply(other, manager="sbkube", force=False)
    app(bench, configmap("a", w="1"))
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "belongs to project other" in ran.err
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1"}


def test_a_key_that_leaves_stringdata_leaves_the_secret(bench: Bench, api_server: HttpCluster) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "1", "b": "2"}}
    app(bench, secret)
    bench.ok("apply", "-y")
    app(bench, {**secret, "stringData": {"a": "1"}})
    bench.ok("apply", "-y")
    live = get(api_server, "Secret", bench.namespace, "s")
    assert live is not None and live["data"] == {"a": "MQ=="}
    assert bench.ok("plan", "--exit-status").code == 0


def test_equal_inputs_give_equal_plans_byte_by_byte(bench: Bench, api_server: HttpCluster) -> None:
    import json
    import time

    from integration.test_recreate import job

    from sbkube.api import Where, open_project
    from sbkube.models.plan_json import plan_to_json

    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    app(bench, configmap("a", x="1"), job("old", "one:1"))
    bench.ok("apply", "-y")
    made_anew = (job("new", "x:1"), job("old", "x:2"))
    app(bench, configmap("a", x="2"), configmap("b", x="1"), service, deployment("web"), *made_anew)

    def made() -> str:
        with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
            return json.dumps(plan_to_json(project.plan()))

    first = made()
    time.sleep(1.1)  # times of the server are whole seconds
    assert made() == first
