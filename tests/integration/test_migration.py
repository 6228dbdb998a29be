"""Objects that other tools wrote before: taken over once, so that what leaves the file leaves the object."""

from __future__ import annotations

import json
from typing import Any

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_conflicts import app, namespace, placed
from shapes import configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey

LAST = "kubectl.kubernetes.io/last-applied-configuration"


def _managers(live: dict[str, Any] | None) -> set[tuple[str, str]]:
    assert live is not None
    return {(e["manager"], e["operation"]) for e in live["metadata"]["managedFields"] if not e.get("subresource")}


def _by_kubectl(body: dict[str, Any], bench: Bench) -> dict[str, Any]:
    """As `kubectl apply` creates it."""
    made = placed(body, bench)
    made["metadata"]["annotations"] = {LAST: json.dumps(made)}
    return made


def test_kubectl_apply_hands_over_with_all_its_fields(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    body = _by_kubectl(configmap("a", x="1", gone="old"), bench)
    api_server.create(body, manager="kubectl-client-side-apply")
    app(bench, configmap("a", x="2"))
    shown = bench.ok("plan")
    assert "takes over from kubectl-client-side-apply" in shown.out
    fields = bench.ok("plan", "-o", "json").json["apps"][0]["changes"][0]["fields"]
    planned = {f["path"]: (f["before"], f["after"]) for f in fields}
    assert planned["data.gone"] == ("old", None) and planned["data.x"] == ("1", "2")
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "2"}
    assert LAST not in (live["metadata"].get("annotations") or {})
    assert _managers(live) == {("sbkube", "Apply")}
    assert bench.ok("plan", "--exit-status").code == 0
    shown = bench.ok("show", "latest")
    assert "taken over" in shown.out


def test_defaults_are_not_shown_as_removed(bench: Bench, api_server: HttpCluster) -> None:
    """kubectl owns every default of what it created; giving them up brings them back."""
    namespace(bench, api_server)
    api_server.create(_by_kubectl(deployment("web"), bench), manager="kubectl-client-side-apply")
    app(bench, deployment("web"))
    paths = {f["path"] for f in bench.ok("plan", "-o", "json").json["apps"][0]["changes"][0]["fields"]}
    assert not [p for p in paths if p.startswith("spec")]
    bench.ok("apply", "-y")
    live = get(api_server, "Deployment", bench.namespace, "web", "apps")
    assert ("kubectl-client-side-apply", "Update") not in _managers(live)
    assert live is not None and live["status"]["readyReplicas"] == 1


@pytest.mark.parametrize("tool", ["kubectl-create", "kubectl-edit", "kubectl-patch", "helm"])
def test_other_tools_hand_over_too(bench: Bench, api_server: HttpCluster, tool: str) -> None:
    namespace(bench, api_server)
    api_server.create(placed(configmap("a", x="1", gone="1"), bench), manager=tool)
    app(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1"}


def test_what_other_controllers_own_stays(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    api_server.create(placed(configmap("a", x="1"), bench), manager="kubectl-create")
    from integration.test_conflicts import edit

    edit(api_server, bench, "ConfigMap", "a", {"data": {"theirs": "1"}}, "operator")
    edit(api_server, bench, "ConfigMap", "a", {"metadata": {"labels": {"team": "x"}}}, "kubectl-label")
    app(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1", "theirs": "1"}
    assert live["metadata"]["labels"]["team"] == "x"


def test_it_happens_once(bench: Bench, api_server: HttpCluster) -> None:
    """What people write later with such a tool is drift or theirs, like any other edit."""
    from integration.test_conflicts import edit

    app(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    edit(api_server, bench, "ConfigMap", "a", {"data": {"theirs": "1"}}, "kubectl-client-side-apply")
    app(bench, configmap("a", x="2"))
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "2", "theirs": "1"}


def test_rollback_brings_back_what_the_takeover_removed(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    api_server.create(placed(configmap("a", x="1", gone="old"), bench), manager="kubectl-create")
    app(bench, configmap("a", x="2"))
    bench.ok("apply", "-y")
    bench.ok("rollback", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1", "gone": "old"}


def test_a_secrets_last_applied_annotation_is_masked(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": "planted-77"}}
    api_server.create(_by_kubectl(secret, bench), manager="kubectl-client-side-apply")
    app(bench, secret)
    for words in (("plan",), ("plan", "-o", "json"), ("apply", "-y", "-v"), ("show", "latest", "-o", "json")):
        ran = bench.ok(*words)
        assert "planted-77" not in ran.out + ran.err
    live = get(api_server, "Secret", bench.namespace, "s")
    assert live is not None and LAST not in (live["metadata"].get("annotations") or {})


def test_the_real_kubectl_hands_over_and_meets_no_conflict_later(bench: Bench, api_server: HttpCluster) -> None:
    import subprocess

    from clients import program

    kubectl = program("kubectl")
    namespace(bench, api_server)

    def apply() -> None:
        argv = [str(kubectl), f"--kubeconfig={bench.config}", "-n", bench.namespace, "apply", "-f", "k.yaml"]
        done = subprocess.run(argv, cwd=bench.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    body = deployment("web")
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "GONE", "value": "1"}]
    bench.write("k.yaml", body)
    apply()
    app(bench, deployment("web"))
    changes = bench.ok("plan", "-o", "json").json["apps"][0]["changes"]
    paths = [f["path"] for c in changes for f in c["fields"] if f["path"].startswith("spec")]
    assert paths == ["spec.template.spec.containers[name=c].env"]
    bench.ok("apply", "-y")
    live = get(api_server, "Deployment", bench.namespace, "web", "apps")
    assert live is not None and "env" not in live["spec"]["template"]["spec"]["containers"][0]
    assert bench.ok("plan", "--exit-status").code == 0
    bench.write("k.yaml", deployment("web", replicas=2))
    apply()
    (field,) = [f for c in bench.ok("plan", "-o", "json").json["apps"][0]["changes"] for f in c["fields"]]
    assert (field["path"], field["cause"], field["manager"]) == (
        "spec.replicas",
        "drift",
        "kubectl-client-side-apply",
    )


def test_an_object_without_owners_is_taken_and_said_so(bench: Bench, api_server: HttpCluster) -> None:
    """From before servers kept owners, or after somebody has wiped them."""
    namespace(bench, api_server)
    api_server.create(placed(configmap("a", x="1", more="1"), bench), manager="kubectl-create")
    wiped = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
    api_server.patch(ResourceKey("", "v1", "ConfigMap", bench.namespace, "a"), wiped, manager="x")
    app(bench, configmap("a", x="2"))
    assert "what the file leaves out stays" in bench.ok("plan").out
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "2", "more": "1"}
    assert bench.ok("plan", "--exit-status").code == 0
    app(bench, configmap("a", z="1"))
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"z": "1", "more": "1"}
