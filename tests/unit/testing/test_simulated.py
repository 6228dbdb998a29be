"""What the fixtures hand out: isolation, faults, restarts."""

from __future__ import annotations

import ssl
import stat
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from sbkube.errors import ClusterError, ClusterForbidden, ClusterUnreachable
from sbkube.ports import WatchEvent
from sbkube.sandbox.faults import Fault as SandboxFault
from sbkube.testing import Client, Fault, KubeSandbox, sandbox

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours"}}


def test_its_address_token_and_authority_are_enough_for_any_client(kube_sandbox: KubeSandbox) -> None:
    request = urllib.request.Request(f"{kube_sandbox.server}/api/v1/namespaces/default")
    request.add_header("Authorization", f"Bearer {kube_sandbox.token}")
    tls = ssl.create_default_context(cafile=kube_sandbox.ca)
    with urllib.request.urlopen(request, context=tls) as answer:
        assert answer.status == 200


def test_the_environment_leads_to_its_own_files(kube_sandbox: KubeSandbox) -> None:
    assert set(kube_sandbox.environ) == {"KUBECONFIG", "KUBECACHEDIR"}
    assert Path(kube_sandbox.environ["KUBECONFIG"]) == kube_sandbox.kubeconfig
    assert stat.S_IMODE(kube_sandbox.kubeconfig.stat().st_mode) == 0o600


def test_two_sandboxes_know_nothing_of_each_other(kube_sandbox: KubeSandbox, tmp_path: Path) -> None:
    with sandbox(tmp_path / "other") as other:
        kube_sandbox.client.apply(MAP)
        kube_sandbox.fail("get", "ConfigMap", status=500)
        assert other.client.get("ConfigMap", "colours") is None
        assert other.token != kube_sandbox.token and other.server != kube_sandbox.server


def test_reset_gives_an_empty_cluster_that_old_clients_do_not_reach(kube_sandbox: KubeSandbox) -> None:
    box = kube_sandbox
    box.client.apply(MAP)
    box.fail("list", status=500)
    old = Client(box.kubeconfig)
    assert old.get("ConfigMap", "colours") is not None
    box.reset()
    assert box.client.get("ConfigMap", "colours") is None
    assert box.faults_left == 0
    with pytest.raises((ClusterUnreachable, ClusterForbidden)):
        old.get("ConfigMap", "colours")
    old.disconnect()


def test_restart_keeps_what_was_answered(kube_sandbox: KubeSandbox) -> None:
    before = kube_sandbox.client.apply(MAP)
    kube_sandbox.restart()
    assert kube_sandbox.client.get("ConfigMap", "colours") == before[0]


def test_faults_happen_as_often_as_asked(kube_sandbox: KubeSandbox) -> None:
    box = kube_sandbox
    box.fail("get", "ConfigMap", status=503, times=2)
    for _ in range(2):
        with pytest.raises(ClusterError) as caught:
            box.client.get("ConfigMap", "colours")
        assert (caught.value.code, caught.value.reason) == (503, "ServiceUnavailable")
    assert box.client.get("ConfigMap", "colours") is None
    assert box.faults_left == 0


def test_a_cut_after_acting_loses_the_answer_not_the_object(kube_sandbox: KubeSandbox) -> None:
    kube_sandbox.client.list("ConfigMap")
    kube_sandbox.fail("create", "configmaps", cut="after")
    with pytest.raises(ClusterUnreachable):
        kube_sandbox.client.create(MAP)
    assert kube_sandbox.client.get("ConfigMap", "colours") is not None


def test_latency_is_waited_for(kube_sandbox: KubeSandbox) -> None:
    kube_sandbox.client.list("ConfigMap")
    kube_sandbox.fail("list", latency=0.3)
    begun = time.monotonic()
    kube_sandbox.client.list("ConfigMap")
    assert time.monotonic() - begun >= 0.3


def test_heal_forgets_faults(kube_sandbox: KubeSandbox) -> None:
    kube_sandbox.fail(status=500, times=0)
    kube_sandbox.heal()
    assert kube_sandbox.client.list("ConfigMap", "default") is not None


def test_a_fault_that_makes_no_sense_is_refused(kube_sandbox: KubeSandbox) -> None:
    with pytest.raises(ClusterError) as caught:
        kube_sandbox.fail(cut="sideways")  # type: ignore[typeddict-item]
    assert caught.value.code == 400


def test_faults_can_be_as_narrow_as_the_sandbox_knows() -> None:
    assert set(Fault.__annotations__) | {"verb", "kind"} == {f.name for f in fields(SandboxFault)}


def test_a_fault_can_wait_for_its_turn_and_choose_by_pattern(kube_sandbox: KubeSandbox) -> None:
    kube_sandbox.fail(["get", "list"], "ConfigMap", name="col*", status=500, skip=1)
    assert kube_sandbox.client.get("ConfigMap", "colours") is None
    assert kube_sandbox.client.get("ConfigMap", "other") is None
    with pytest.raises(ClusterError, match="Internal error"):
        kube_sandbox.client.get("ConfigMap", "colours")


def test_requests_are_told(kube_sandbox: KubeSandbox) -> None:
    kube_sandbox.client.apply(MAP)
    kube_sandbox.fail("get", status=503)
    with pytest.raises(ClusterError):
        kube_sandbox.client.get("ConfigMap", "colours")
    told = kube_sandbox.requests(kind="ConfigMap")
    assert [(r["verb"], r["name"], r["status"]) for r in told] == [
        ("patch", "colours", 201),
        ("get", "colours", 503),
    ]
    assert [r["manager"] for r in kube_sandbox.requests(verb="patch")] == ["test"]
    kube_sandbox.forget_requests()
    assert kube_sandbox.requests(kind="ConfigMap") == []


def watching(box: KubeSandbox, version: str = "") -> Iterator[WatchEvent]:
    kind = box.client.cluster.resource_type("v1", "ConfigMap")
    assert kind is not None
    return box.client.cluster.watch(kind, "default", resource_version=version, timeout=60)


def test_watches_can_be_dropped(kube_sandbox: KubeSandbox) -> None:
    kube_sandbox.client.apply(MAP)
    events = watching(kube_sandbox)
    assert next(events).type == "ADDED"
    assert kube_sandbox.drop_watches() == 1
    assert [e for e in events if e.type != "ADDED"] == []  # it ends at once rather than in a minute


def test_the_past_can_be_forgotten(kube_sandbox: KubeSandbox) -> None:
    (first,) = kube_sandbox.client.apply(MAP)
    kube_sandbox.client.apply({**MAP, "data": {"sky": "grey"}})
    kube_sandbox.forget_history()
    with pytest.raises(ClusterError) as caught:
        next(watching(kube_sandbox, first["metadata"]["resourceVersion"]))
    assert caught.value.code == 410


def test_schedules_can_be_hurried(kube_sandbox: KubeSandbox) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example"}]}
    spec = {"schedule": "0 3 1 1 *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    kube_sandbox.client.apply(
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "yearly"}, "spec": spec}
    )
    kube_sandbox.advance(366 * 24 * 3600)
    deadline = time.monotonic() + 20
    while not (jobs := kube_sandbox.client.list("Job", "default")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert jobs[0]["metadata"]["ownerReferences"][0]["name"] == "yearly"


def test_a_folder_has_one_sandbox_at_a_time(kube_sandbox: KubeSandbox) -> None:
    second = KubeSandbox(kube_sandbox.folder)
    with pytest.raises(ClusterUnreachable, match="already runs"):
        second.start()
    assert kube_sandbox.client.raw("GET", "/readyz") == "ok"


def test_without_a_folder_nothing_is_left() -> None:
    with sandbox(version="1.33") as box:
        folder = box.folder
        assert box.client.raw("GET", "/version")["gitVersion"].startswith("v1.33.")
    assert not folder.exists()


def test_a_session_sandbox_keeps_what_tests_leave(kube_sandbox_session: KubeSandbox) -> None:
    kube_sandbox_session.client.apply({**MAP, "metadata": {"name": "left-behind"}})
    assert kube_sandbox_session.log == ""
