"""kubectl writes whole objects: apply on either side, prune, diff, replace, edit."""

from __future__ import annotations

import json
from pathlib import Path

from conformance.clients.objects import config, manifest, service, workload
from conformance.clients.programs import Program

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def managers(obj: dict[str, object]) -> set[tuple[str, str]]:
    """Who owns fields, and how."""
    return {(e["manager"], e["operation"]) for e in obj["metadata"]["managedFields"]}  # type: ignore[index]


def image(kubectl: Program) -> str:
    """The image of the deployment `web`."""
    return str(kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}").out)


def test_client_side_apply(kubectl: Program) -> None:
    first = manifest(workload("Deployment", "web"), config("c", a="1", b="2"))
    assert "created" in kubectl("apply", "-f", "-", stdin=first).out
    assert {line.split()[1] for line in kubectl("apply", "-f", "-", stdin=first).out.splitlines()} == {"unchanged"}
    kubectl("annotate", "cm", "c", "mine=yes")
    assert "configured" in kubectl("apply", "-f", "-", stdin=manifest(config("c", a="3"))).out
    found = kubectl("get", "cm", "c", "-o", "json", "--show-managed-fields").json
    assert found["data"] == {"a": "3"}  # b was in the last configuration, and is in this one no more
    assert found["metadata"]["annotations"]["mine"] == "yes"
    assert json.loads(found["metadata"]["annotations"][LAST_APPLIED])["data"] == {"a": "3"}
    assert ("kubectl-client-side-apply", "Update") in managers(found)
    assert 'a: "3"' in kubectl("apply", "view-last-applied", "cm/c").out


def test_trying_an_apply_stores_nothing(kubectl: Program) -> None:
    both = manifest(workload("Deployment", "web"), config("c", a="1"))
    assert "(server dry run)" in kubectl("apply", "--dry-run=server", "-f", "-", stdin=both).out
    assert "(dry run)" in kubectl("apply", "--dry-run=client", "-f", "-", stdin=both).out
    assert "(server dry run)" in kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=both).out
    assert kubectl.read("deploy", "web") is kubectl.read("cm", "c") is None


def test_diff_shows_what_an_apply_would_do(kubectl: Program, tmp_path: Path) -> None:
    old, new = manifest(workload("Deployment", "web")), manifest(workload("Deployment", "web", "nginx:2"))
    for extra in ((), ("--server-side", "--force-conflicts")):
        kubectl("apply", *extra, "-f", "-", stdin=old)
        assert kubectl("diff", *extra, "-f", "-", stdin=old).out == ""
        shown = kubectl("diff", *extra, "-f", "-", stdin=new, code=1).out
        assert "-      - image: nginx:1" in shown and "+      - image: nginx:2" in shown
    assert '+  a: "1"' in kubectl("diff", "-f", "-", stdin=manifest(config("new", a="1")), code=1).out
    assert image(kubectl) == "nginx:1"
    assert kubectl.read("cm", "new") is None


def test_server_side_apply_and_its_conflicts(kubectl: Program) -> None:
    web = manifest(workload("Deployment", "web"))
    ours, theirs = ("--server-side", "-f", "-"), ("--server-side", "--field-manager=other", "-f", "-")
    assert "serverside-applied" in kubectl("apply", *ours, stdin=web).out
    changed = manifest(workload("Deployment", "web", "nginx:2"))
    refused = kubectl("apply", *theirs, stdin=changed, code=1).err
    assert 'conflict with "kubectl": .spec.template.spec.containers[name="web"].image' in refused
    assert "--force-conflicts" in refused
    assert image(kubectl) == "nginx:1"
    kubectl("apply", *theirs, "--force-conflicts", stdin=changed)
    assert image(kubectl) == "nginx:2"
    found = kubectl("get", "deploy", "web", "-o", "json", "--show-managed-fields").json
    assert {("kubectl", "Apply"), ("other", "Apply")} <= managers(found)
    kubectl("apply", *ours, stdin=web, code=1)


def test_from_client_side_to_server_side(kubectl: Program) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(config("c", a="1", b="2")))
    kubectl("apply", "--server-side", "-f", "-", stdin=manifest(config("c", a="1")))
    found = kubectl("get", "cm", "c", "-o", "json", "--show-managed-fields").json
    assert found["data"] == {"a": "1"}  # the fields moved to the new manager, who does not name b
    assert ("kubectl", "Apply") in managers(found)
    assert ("kubectl-client-side-apply", "Update") not in managers(found)


def test_prune_by_label(kubectl: Program) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(workload("Deployment", "web"), service("web"), config("c")))
    kubectl("create", "configmap", "by-hand")
    words = ("apply", "-f", "-", "--prune", "-l", "app=web", "--prune-allowlist=core/v1/ConfigMap")
    words += ("--prune-allowlist=apps/v1/Deployment",)
    left = manifest(service("web"), config("c"))
    assert "deployment.apps/web pruned" in kubectl(*words, "--dry-run=server", stdin=left).out
    assert kubectl.read("deploy", "web")
    kubectl(*words, stdin=left)
    assert kubectl.read("deploy", "web") is None
    assert kubectl.read("cm", "by-hand") and kubectl.read("svc", "web")


def test_prune_by_apply_set(kubectl: Program) -> None:
    words = ("apply", "--server-side", "-f", "-", "--prune", "--applyset=mine")
    both = manifest(config("a"), config("b"))
    kubectl(*words, stdin=both, KUBECTL_APPLYSET="true")
    done = kubectl(*words, stdin=manifest(config("a")), KUBECTL_APPLYSET="true")
    assert "configmap/b pruned" in done.out
    assert kubectl.read("cm", "a") and kubectl.read("cm", "b") is None
    parent = kubectl.read("secret", "mine")["metadata"]
    assert parent["annotations"]["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap"


def test_what_the_server_refuses(kubectl: Program) -> None:
    typo = {**config("c"), "dat": {}}
    assert 'unknown field "dat"' in kubectl("apply", "-f", "-", stdin=manifest(typo), code=1).err
    kubectl("apply", "-f", "-", "--validate=false", stdin=manifest(typo))
    bad = workload("Deployment", "Bad_Name")
    bad["spec"]["selector"]["matchLabels"] = {"app": "other"}
    said = kubectl("apply", "-f", "-", stdin=manifest(bad), code=1).err
    assert 'The Deployment "Bad_Name" is invalid' in said
    assert "RFC 1123 subdomain" in said and "`selector` does not match template `labels`" in said
    unknown = {"apiVersion": "nobody.example/v1", "kind": "Thing", "metadata": {"name": "x"}}
    assert "ensure CRDs are installed first" in kubectl("apply", "-f", "-", stdin=manifest(unknown), code=1).err
    said = kubectl("apply", "-f", "-", "-n", "nowhere", stdin=manifest(config("c")), code=1).err
    assert 'namespaces "nowhere" not found' in said


def test_replace(kubectl: Program) -> None:
    kubectl("create", "-f", "-", stdin=manifest(config("c", a="1")))
    before = kubectl.read("cm", "c")
    kubectl("replace", "-f", "-", stdin=json.dumps({**before, "data": {"a": "2"}}))
    stale = kubectl("replace", "-f", "-", stdin=json.dumps(before), code=1).err
    assert "the object has been modified" in stale
    kubectl("replace", "--force", "-f", "-", stdin=manifest(config("c", a="3")))
    after = kubectl.read("cm", "c")
    assert after["data"] == {"a": "3"} and after["metadata"]["uid"] != before["metadata"]["uid"]
    assert "not found" in kubectl("replace", "-f", "-", stdin=manifest(config("nope")), code=1).err


def test_edit(kubectl: Program) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(workload("Deployment", "web")))
    kubectl("edit", "deploy", "web", KUBE_EDITOR="sed -i s/nginx:1/nginx:5/")
    assert image(kubectl) == "nginx:5"
    same = kubectl("edit", "deploy", "web", KUBE_EDITOR="true")
    assert "no changes made" in same.said
    bad = kubectl("edit", "deploy", "web", KUBE_EDITOR="sed -i s/nginx:5//", code=1).err
    assert "is invalid" in bad
    assert image(kubectl) == "nginx:5"
    kubectl("apply", "edit-last-applied", "deploy/web", KUBE_EDITOR="sed -i s/nginx:1/nginx:6/")
    kubectl("apply", "set-last-applied", "-f", "-", stdin=manifest(workload("Deployment", "web", "nginx:6")))
    assert "nginx:6" in kubectl("apply", "view-last-applied", "deploy/web").out
