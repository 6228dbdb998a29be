"""kubectl makes single objects: typed requests, most of them in protobuf."""

from __future__ import annotations

import base64
import uuid

import pytest
from conformance.clients.programs import Program, until


@pytest.fixture(scope="module")
def space(anywhere: Program) -> Program:
    """One namespace for many objects."""
    return anywhere.moved()


@pytest.mark.parametrize(
    ("words", "kind", "path", "wanted"),
    [
        ("configmap x --from-literal=a=b", "cm", "{.data.a}", "b"),
        ("secret generic x --from-literal=a=b", "secret", "{.data.a}", base64.b64encode(b"b").decode()),
        (
            "secret docker-registry x --docker-server=s --docker-username=u --docker-password=p",
            "secret",
            "{.type}",
            "kubernetes.io/dockerconfigjson",
        ),
        ("deployment x --image=nginx --replicas=2 --port=80", "deploy", "{.spec.replicas}", "2"),
        ("cronjob x --image=busybox --schedule=0/5_*_*_*_* -- true", "cronjob", "{.spec.schedule}", "0/5 * * * *"),
        ("role x --verb=get,list --resource=pods", "role", "{.rules[0].verbs}", '["get","list"]'),
        ("rolebinding x --role=x --serviceaccount=a:b", "rolebinding", "{.subjects[0].name}", "b"),
        ("ingress x --rule=a.example/*=x:80", "ingress", "{.spec.rules[0].host}", "a.example"),
        ("quota x --hard=pods=3", "quota", "{.spec.hard.pods}", "3"),
        ("pdb x --selector=app=x --min-available=1", "pdb", "{.spec.minAvailable}", "1"),
        ("serviceaccount x", "sa", "{.kind}", "ServiceAccount"),
        ("service clusterip x --tcp=80:8080", "svc", "{.spec.ports[0].targetPort}", "8080"),
        ("service nodeport x --tcp=80", "svc", "{.spec.type}", "NodePort"),
        ("service externalname x --external-name=a.example", "svc", "{.spec.externalName}", "a.example"),
    ],
)
def test_create(space: Program, words: str, kind: str, path: str, wanted: str) -> None:
    name = f"x{uuid.uuid4().hex[:6]}"
    split = [name if w == "x" else w.replace("_", " ") for w in words.split()]
    assert "(server dry run)" in space("create", *_with_dry_run(split)).out
    assert "created" in space("create", *split).out  # so the try stored nothing
    assert space("get", kind, name, "-o", f"jsonpath={path}").out == wanted
    assert "already exists" in space("create", *split, code=1).err


def _with_dry_run(words: list[str]) -> list[str]:
    """The option goes before `--`."""
    at = words.index("--") if "--" in words else len(words)
    return [*words[:at], "--dry-run=server", *words[at:]]


def test_create_for_the_whole_cluster(kubectl: Program) -> None:
    name = kubectl.namespace
    kubectl("create", "clusterrole", name, "--verb=get", "--resource=nodes")
    kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", "--user=me")
    kubectl("create", "priorityclass", name, "--value=10")
    assert kubectl.read("clusterrolebinding", name)["roleRef"]["name"] == name
    kubectl("delete", f"clusterrole/{name}", f"clusterrolebinding/{name}", f"priorityclass/{name}")


def test_jobs_from_the_command_line_and_from_a_schedule(kubectl: Program) -> None:
    kubectl("create", "job", "once", "--image=busybox", "--", "true")
    kubectl("create", "cronjob", "daily", "--image=busybox", "--schedule=@daily", "--", "true")
    kubectl("create", "job", "now", "--from=cronjob/daily")
    kubectl("wait", "job/once", "job/now", "--for=condition=complete", "--timeout=20s")
    made = kubectl.read("job", "now")
    assert made["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert made["spec"]["template"]["spec"]["containers"][0]["command"] == ["true"]


def test_a_token_for_a_service_account(kubectl: Program) -> None:
    assert kubectl("create", "token", "default").out
    assert "not found" in kubectl("create", "token", "nobody", code=1).err


def test_autoscale_and_expose(kubectl: Program) -> None:
    kubectl("create", "deployment", "web", "--image=nginx", "--port=80")
    kubectl("autoscale", "deployment", "web", "--min=2", "--max=4", "--cpu=50%")
    assert kubectl.read("hpa", "web")["spec"]["maxReplicas"] == 4
    kubectl("expose", "deployment", "web", "--name=front", "--port=8080", "--target-port=80")
    assert kubectl.read("svc", "front")["spec"]["selector"] == {"app": "web"}
    until(lambda: kubectl("get", "endpointslices", "-o", "jsonpath={.items[*].endpoints[*].addresses}").out)


def test_run(kubectl: Program) -> None:
    kubectl("run", "one", "--image=nginx", "--labels=a=b", "--env=X=1", "--expose", "--port=80")
    kubectl("wait", "pod/one", "--for=condition=Ready", "--timeout=20s")
    assert kubectl.read("pod", "one")["spec"]["containers"][0]["env"] == [{"name": "X", "value": "1"}]
    assert kubectl.read("svc", "one")["spec"]["selector"] == {"a": "b"}
    tried = kubectl("run", "two", "--image=nginx", "--dry-run=server", "-o", "json").json
    assert tried["spec"]["restartPolicy"] == "Always" and kubectl.read("pod", "two") is None
