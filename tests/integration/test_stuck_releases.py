"""Releases left in the middle of an action: freed where that was us, named and refused where it was not."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Callable
from typing import Any

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_crash import _open_intents, _start, _until
from shapes import WEB_CHART, WEB_VALUES

from sbkube.edges.cluster import HttpCluster
from sbkube.edges.connection import Request
from sbkube.edges.helm_storage import StoredReleases, storage_object
from sbkube.models.release import ReleaseRecord

SLOW = """apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
      annotations: {sandbox.sbkube.dev/ready-after: {{ .Values.seconds | quote }}}
    spec: {containers: [{name: web, image: {{ .Values.image | quote }}}]}
"""
HOOK = """apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-NAME
  annotations:
    helm.sh/hook: EVENTS
    helm.sh/hook-weight: "WEIGHT"
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  template:
    metadata: {annotations: {sandbox.sbkube.dev/ready-after: "0"}}
    spec: {restartPolicy: Never, containers: [{name: job, image: "busybox:1"}]}
"""


def hook(name: str, events: str, weight: int = 0) -> str:
    """A Job that Helm runs as a hook."""
    return HOOK.replace("NAME", name).replace("EVENTS", events).replace("WEIGHT", str(weight))


class Release:
    """A project of one slow release with hooks before and after."""

    def __init__(self, bench: Bench, server: HttpCluster) -> None:
        self.bench, self.server = bench, server
        self.stored = StoredReleases(server)

    def write(self, *, seconds: int, image: str = "nginx:1") -> None:
        """The chart and its values; pods become ready after so many seconds."""
        templates = {
            "web.yaml": SLOW,
            "first.yaml": hook("first", "pre-install,pre-upgrade", 1),
            "second.yaml": hook("second", "pre-install,pre-upgrade", 2),
            "last.yaml": hook("last", "post-install,post-upgrade"),
        }
        chart = self.bench.chart("slow", templates, f"seconds: 0\nimage: {image}\n")
        values = [{"seconds": seconds, "image": image}]
        self.bench.project({"web": {"type": "helm", "chart": chart, "values": values}}, timeout=60)

    @property
    def history(self) -> tuple[ReleaseRecord, ...]:
        """What Helm has stored."""
        return self.stored.history("web", self.bench.namespace)

    @property
    def statuses(self) -> list[str]:
        """Of all revisions, oldest first."""
        return [record.status for record in self.history]

    def kill(self, when: Callable[[], object], *words: str) -> None:
        """Run a command and kill it when something is true."""
        run = _start(self.bench, *words, "-y")
        try:
            _until(when, 60)
        finally:
            run.send_signal(signal.SIGKILL)
            run.communicate()

    def job(self, name: str) -> dict[str, Any] | None:
        """A hook's Job."""
        return get(self.server, "Job", self.bench.namespace, f"web-{name}", "batch")

    def made(self) -> dict[str, str]:
        """The uids of the hooks' Jobs: another one means that the hook ran again."""
        jobs = {name: self.job(name) for name in ("first", "second", "last")}
        return {name: job["metadata"]["uid"] for name, job in jobs.items() if job}

    def deployment(self) -> dict[str, Any] | None:
        """The release's Deployment."""
        return get(self.server, "Deployment", self.bench.namespace, "web", "apps")


@pytest.fixture
def release(bench: Bench, api_server: HttpCluster) -> Release:
    return Release(bench, api_server)


def test_an_action_whose_first_answer_was_lost_is_freed(release: Release) -> None:
    """Helm gives up and leaves a revision that it does not know of; our record knows that nothing is at work."""
    bench, server = release.bench, release.server
    if not server.info().sandbox:
        pytest.skip("faults on demand want a sandbox")
    release.write(seconds=0)
    bench.ok("apply", "-y")
    release.write(seconds=0, image="nginx:2")
    lost = [{"namespace": bench.namespace, "verb": "create", "kind": "Secret", "cut": "after", "times": 1}]
    server.connection.request(Request("POST", "/sandbox/faults", json.dumps(lost).encode()))
    assert bench.sbkube("apply", "-y").code == 1
    assert release.statuses[-1] == "pending-upgrade"
    planned = bench.sbkube("plan", "--exit-status")
    assert planned.code == 10 and "mark revision 2, which was cut off, as failed" in planned.out
    bench.ok("apply", "-y")
    assert release.statuses[-1] == "deployed" and "pending-upgrade" not in release.statuses
    assert bench.ok("plan", "--exit-status").code == 0


@pytest.mark.parametrize("command", ["resume", "apply"])
def test_a_killed_install_is_freed_and_gone_on_with_without_its_finished_hooks(
    release: Release, command: str
) -> None:
    release.write(seconds=8)
    release.kill(release.deployment, "apply")
    assert release.statuses == ["pending-install"]
    before = release.made()
    assert set(before) == {"first", "second"}
    ran = release.bench.ok(command, "-y")
    assert "web-first, web-second" in ran.out + ran.err
    assert release.statuses == ["failed", "deployed"]
    after = release.made()
    assert {name: after[name] for name in before} == before
    assert "last" in after
    assert _open_intents() == 0
    assert release.bench.sbkube("diff", "--exit-status").code == 0


def test_a_killed_install_is_undone(release: Release) -> None:
    release.write(seconds=8)
    release.kill(release.deployment, "apply")
    release.bench.ok("rollback", "-y")
    assert release.statuses == []
    assert release.deployment() is None


def test_a_killed_upgrade_is_gone_on_with(release: Release) -> None:
    release.write(seconds=0)
    release.bench.ok("apply", "-y")
    release.write(seconds=8, image="nginx:2")
    release.kill(lambda: release.statuses[-1] == "pending-upgrade" and release.job("second"), "apply")
    release.bench.ok("resume", "-y")
    assert release.statuses[-1] == "deployed"
    live = release.deployment()
    assert live is not None and live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"
    assert release.bench.sbkube("diff", "--exit-status").code == 0


def test_a_killed_upgrade_is_undone(release: Release) -> None:
    release.write(seconds=0)
    release.bench.ok("apply", "-y")
    release.write(seconds=8, image="nginx:2")
    release.kill(lambda: release.statuses[-1] == "pending-upgrade" and release.job("second"), "apply")
    release.bench.ok("rollback", "-y")
    assert release.statuses[-1] == "deployed"
    live = release.deployment()
    assert live is not None and live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1"


def test_a_killed_rollback_of_a_release_is_gone_on_with(release: Release) -> None:
    release.write(seconds=6)
    release.bench.ok("apply", "-y")
    release.write(seconds=0, image="nginx:2")
    release.bench.ok("apply", "-y")
    release.kill(lambda: release.statuses[-1] == "pending-rollback", "rollback")
    release.bench.ok("resume", "-y")
    assert release.statuses[-1] == "deployed"
    live = release.deployment()
    assert live is not None and live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1"


def test_a_killed_install_can_be_deleted(release: Release) -> None:
    release.write(seconds=8)
    release.kill(release.deployment, "apply")
    release.bench.ok("delete", "-y")
    assert release.statuses == []
    assert release.deployment() is None


def test_a_plan_shows_the_repair_and_changes_nothing(release: Release) -> None:
    release.write(seconds=8)
    release.kill(release.deployment, "apply")
    shown = release.bench.ok("diff")
    assert "mark revision 1" in shown.out
    assert "resume" in shown.err
    assert release.statuses == ["pending-install"]


@pytest.mark.parametrize("status", ["pending-upgrade", "uninstalling"])
def test_a_release_that_somebody_else_left_is_named_and_refused(
    bench: Bench, api_server: HttpCluster, status: str
) -> None:
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    bench.project({"web": {"type": "helm", "chart": chart}})
    bench.ok("apply", "-y")
    stored = StoredReleases(api_server)
    newest = stored.history("web", bench.namespace)[-1]
    foreign = dataclasses.replace(newest, revision=2)
    api_server.create(storage_object(foreign, status), manager="helm")
    bench.project({"web": {"type": "helm", "chart": chart, "values": [{"greeting": "bye"}]}})
    for words in (("apply", "-y"), ("rollback", "-y", "--force"), ("delete", "-y")):
        ran = bench.sbkube(*words)
        assert ran.code == 3, words
        assert status in ran.err and "helm " in ran.err and f"-n {bench.namespace}" in ran.err
    assert [r.status for r in stored.history("web", bench.namespace)] == ["deployed", status]


def test_a_running_action_is_not_repaired(release: Release) -> None:
    release.write(seconds=8)
    run = _start(release.bench, "apply", "-y")
    try:
        _until(release.deployment, 60)
        ran = release.bench.sbkube("diff")
        assert ran.code == 3 and "still at work" in ran.err
        assert release.bench.sbkube("apply", "-y").code in {3, 5}
        assert run.wait(60) == 0
    finally:
        run.kill()
        run.communicate()
    assert release.statuses == ["deployed"]
