"""kubectl looks around: discovery, explain, describe, events, logs, access, versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.clients.objects import config, manifest, pod, service, workload
from conformance.clients.programs import Program

KINDS = (
    *("deploy", "svc", "cm", "ing", "netpol", "pvc", "limits", "hpa"),
    *("secret", "role", "rolebinding", "job", "cronjob", "pdb", "quota"),
)
MORE = Path(__file__).with_name("one_of_each.yaml")


@pytest.fixture(scope="module")
def shop(anywhere: Program) -> Program:
    """A namespace with one of everything that charts use."""
    kubectl = anywhere.moved()
    mine = (workload("Deployment", "web"), service("web"), config("web", a="1"), workload("DaemonSet", "agent"))
    sick, talk = pod("sick", fail="CrashLoopBackOff"), pod("talk", log="hello")
    kubectl("create", "-f", "-", stdin=manifest(*mine, workload("StatefulSet", "db", replicas=1), sick, talk))
    kubectl("create", "-f", str(MORE))
    kubectl("wait", "deploy/web", "job/web", "--for=jsonpath={.status.conditions[0].status}=True", "--timeout=20s")
    kubectl("wait", "pod/talk", "--for=condition=Ready", "--timeout=20s")
    return kubectl


def test_describe_every_common_kind(shop: Program) -> None:
    here = [f"{kind}/web" for kind in KINDS]
    shown = shop("describe", *here, "ds/agent", "sts/db", "sa/default", "--show-events").out
    assert shown.count("\nName:") + 1 >= len(KINDS) + 3
    assert "2 desired | 2 updated | 2 total | 2 available" in shown
    assert "a.example" in shown and "ScalingReplicaSet" in shown
    assert "hidden" not in shown


def test_describe_says_why_a_pod_is_sick(shop: Program) -> None:
    shown = shop("describe", "pod", "sick").out
    assert "CrashLoopBackOff" in shown and "Back-off restarting failed container" in shown
    assert "sandbox" in shop("describe", "node", "sandbox").out
    assert "Active" in shop("describe", "namespace", shop.namespace).out


def test_every_kind_has_a_table(shop: Program) -> None:
    everything = shop(
        "get", "all,ing,netpol,pvc,limits,hpa,secret,role,rolebinding,cronjob,pdb,quota,sa,rs,ev"
    ).out
    for name in ("deployment.apps/web", "statefulset.apps/db", "daemonset.apps/agent", "job.batch/web"):
        assert name in everything
    assert shop("get", "quota", "web").rows[0][:2] == ["web", "pods: 0/9"]
    shop("get", "crd,clusterrole,clusterrolebinding,sc,pc,pv,ns,node,apiservice,ingressclass")


def test_events_and_logs(shop: Program) -> None:
    assert "ScalingReplicaSet" in shop("events", "--for=deployment/web").out
    assert "BackOff" in shop("get", "events", "--field-selector=involvedObject.name=sick").out
    assert shop("logs", "talk").out == "hello\n"
    assert shop("logs", "deploy/web", "--all-pods", "--prefix").out.count("[pod/web-") == 2
    assert shop("logs", "-l", "app=web", "--tail=1").out.count("\n") == 2
    assert "not found" in shop("logs", "nope", code=1).err


def test_discovery(shop: Program) -> None:
    found = {row[0]: row for row in shop("api-resources", "--no-headers=false").rows}
    assert found["deployments"][1:4] == ["deploy", "apps/v1", "true"]
    assert "nodes" in shop("api-resources", "--namespaced=false", "--verbs=list,watch", "-o", "name").out.split()
    groups = shop("api-versions").out.split()
    assert {"v1", "apps/v1", "batch/v1", "rbac.authorization.k8s.io/v1"} <= set(groups)


def test_explain(shop: Program) -> None:
    shown = shop("explain", "deploy.spec.strategy", "--recursive").out
    assert "KIND:       Deployment" in shown and "maxSurge" in shown
    assert "-required-" in shop("explain", "deployments.spec").out
    assert 'field "nope" does not exist' in shop("explain", "deploy.spec.nope", code=1).err


def test_access(shop: Program) -> None:
    assert shop("auth", "can-i", "create", "deployments").out.strip() == "yes"
    assert "*.*" in shop("auth", "can-i", "--list").out
    assert "sandbox-admin" in shop("auth", "whoami").out


def test_versions_and_addresses(shop: Program) -> None:
    assert "sandbox" in shop("version", "-o", "json").json["serverVersion"]["gitVersion"]
    assert "https://127.0.0.1:" in shop("cluster-info").out
    shown = shop("config", "view").out
    assert "DATA+OMITTED" in shown and "REDACTED" in shown
    assert shop("config", "current-context").out == "sandbox\n"


def test_what_is_not_simulated_fails_politely(shop: Program) -> None:
    assert "Metrics API not available" in shop("top", "pods", code=1).err
    for words in (("exec", "talk", "--", "ls"), ("port-forward", "talk", "18080:80")):
        assert "does not simulate exec, attach, port-forward" in shop(*words, code=1).err
