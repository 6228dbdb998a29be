"""The simulated controllers on a real store, without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sbkube.sandbox import startup
from sbkube.sandbox.access import Deletion
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind, Registry
from sbkube.sandbox.store import Store

Json = dict[str, Any]
Story = Callable[[Api], Awaitable[None]]


def _play(path: Path, story: Story, delay: float = 0.01) -> None:
    async def run() -> None:
        store = Store(path / "store.db")
        api = Api(store, Registry())
        controllers = await startup.prepare(api, delay, "CA")
        try:
            await story(api)
        finally:
            await controllers.stop()
            store.close()

    asyncio.run(run())


def _kind(api: Api, api_version: str, kind: str) -> Kind:
    found = api.registry.by_kind(api_version, kind)
    assert found is not None
    return found


async def _until(read: Callable[[], Any], seconds: float = 5.0) -> Any:
    for _ in range(int(seconds / 0.02)):
        found = read()
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("did not happen in time")


def _pod(fail: str = "", restart: str = "Always") -> Json:
    meta = {"labels": {"app": "x"}, "annotations": {"sandbox.sbkube.dev/fail": fail}}
    return {
        "metadata": meta,
        "spec": {"restartPolicy": restart, "containers": [{"name": "m", "image": "nginx:1"}]},
    }


def _deployment(fail: str = "", replicas: int = 2) -> Json:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "x"}}, "template": _pod(fail)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def _status(api: Api, api_version: str, kind: str, name: str) -> Json:
    found = api.find(_kind(api, api_version, kind), "default", name)
    status: Json = (found or {}).get("status") or {}
    return status


def test_a_deployment_gets_ready(tmp_path: Path) -> None:
    async def story(api: Api) -> None:
        api.create(_kind(api, "apps/v1", "Deployment"), "default", _deployment())
        await _until(lambda: _status(api, "apps/v1", "Deployment", "d").get("availableReplicas") == 2)
        found = _status(api, "apps/v1", "Deployment", "d")
        assert {c["type"]: c["status"] for c in found["conditions"]} == {
            "Available": "True",
            "Progressing": "True",
        }
        assert len(api.list(_kind(api, "v1", "Pod"), "default")) == 2

    _play(tmp_path, story)


@pytest.mark.parametrize("word", ["ImagePullBackOff", "CrashLoopBackOff"])
def test_a_pod_fails_as_it_is_told(tmp_path: Path, word: str) -> None:
    async def story(api: Api) -> None:
        api.create(_kind(api, "apps/v1", "Deployment"), "default", _deployment(word, 1))

        def reasons() -> bool:
            pods = api.list(_kind(api, "v1", "Pod"), "default")
            states = [s["state"] for p in pods for s in p["status"].get("containerStatuses") or ()]
            return any(s.get("waiting", {}).get("reason") == word for s in states)

        await _until(reasons)
        await _until(
            lambda: [e for e in api.list(_kind(api, "v1", "Event"), "default") if e["reason"] == "BackOff"]
        )
        assert not _status(api, "apps/v1", "Deployment", "d").get("readyReplicas")

    _play(tmp_path, story)


def test_an_unschedulable_pod_stays_pending(tmp_path: Path) -> None:
    async def story(api: Api) -> None:
        body = {"apiVersion": "v1", "kind": "Pod", **_pod("Unschedulable")}
        body["metadata"]["name"] = "p"
        api.create(_kind(api, "v1", "Pod"), "default", body)
        await _until(lambda: _status(api, "v1", "Pod", "p").get("conditions"))
        found = _status(api, "v1", "Pod", "p")
        assert found["phase"] == "Pending"
        assert found["conditions"][0]["reason"] == "Unschedulable"

    _play(tmp_path, story)


@pytest.mark.parametrize(("fail", "ending"), [("", "Complete"), ("Error", "Failed")])
def test_a_job_ends(tmp_path: Path, fail: str, ending: str) -> None:
    async def story(api: Api) -> None:
        spec = {"backoffLimit": 1, "template": _pod(fail, "Never")}
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec}
        api.create(_kind(api, "batch/v1", "Job"), "default", body)

        def ended() -> bool:
            conditions = _status(api, "batch/v1", "Job", "j").get("conditions") or ()
            return ending in [c["type"] for c in conditions]

        await _until(ended)

    _play(tmp_path, story)


def test_dependents_go_with_their_owner_and_a_namespace_with_its_objects(tmp_path: Path) -> None:
    async def story(api: Api) -> None:
        space = _kind(api, "v1", "Namespace")
        api.create(space, "", {"metadata": {"name": "n"}})
        api.create(_kind(api, "apps/v1", "Deployment"), "n", _deployment())
        await _until(lambda: len(api.list(_kind(api, "v1", "Pod"), "n")) == 2)
        api.delete(_kind(api, "apps/v1", "Deployment"), "n", "d", Deletion("Background"))
        await _until(lambda: not api.list(_kind(api, "v1", "Pod"), "n"))
        assert api.list(_kind(api, "v1", "ConfigMap"), "n")[0]["data"] == {"ca.crt": "CA"}
        api.delete(space, "", "n", Deletion())
        await _until(lambda: api.find(space, "", "n") is None)
        assert not api.list(_kind(api, "v1", "ConfigMap"), "n")

    _play(tmp_path, story)


def test_work_goes_on_after_a_restart(tmp_path: Path) -> None:
    async def begin(api: Api) -> None:
        api.create(_kind(api, "apps/v1", "Deployment"), "default", _deployment())
        await _until(lambda: api.list(_kind(api, "v1", "Pod"), "default"))

    async def resume(api: Api) -> None:
        await _until(lambda: _status(api, "apps/v1", "Deployment", "d").get("availableReplicas") == 2)

    _play(tmp_path, begin, delay=1.0)
    _play(tmp_path, resume, delay=1.0)


def test_a_daemon_set_runs_on_the_only_node(tmp_path: Path) -> None:
    async def story(api: Api) -> None:
        spec = {"selector": {"matchLabels": {"app": "x"}}, "template": _pod()}
        body = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "ds"}, "spec": spec}
        api.create(_kind(api, "apps/v1", "DaemonSet"), "default", body)
        await _until(lambda: _status(api, "apps/v1", "DaemonSet", "ds").get("numberReady") == 1)
        (pod,) = api.list(_kind(api, "v1", "Pod"), "default")
        (node,) = api.list(_kind(api, "v1", "Node"))
        assert pod["spec"]["nodeName"] == node["metadata"]["name"]
        assert node["status"]["conditions"][0]["status"] == "True"

    _play(tmp_path, story)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_what_was_orphaned_comes_back_to_its_owner(tmp_path: Path, kind: str) -> None:
    async def story(api: Api) -> None:
        body = {**_deployment(), "kind": kind}
        owner = _kind(api, "apps/v1", kind)

        async def ready_pods() -> set[str]:
            await _until(lambda: _status(api, "apps/v1", kind, "d").get("readyReplicas") == 2)
            return {p["metadata"]["uid"] for p in api.list(_kind(api, "v1", "Pod"), "default")}

        api.create(owner, "default", body)
        before = await ready_pods()
        api.delete(owner, "default", "d", Deletion(propagation="Orphan"))
        await _until(lambda: api.find(owner, "default", "d") is None)
        api.create(owner, "default", {**_deployment(), "kind": kind})
        assert await ready_pods() == before
        api.delete(owner, "default", "d", Deletion(propagation="Background"))
        await _until(lambda: not api.list(_kind(api, "v1", "Pod"), "default"))

    _play(tmp_path, story)
