"""A sandbox inside the process: the same answers, faults, log and watches as over HTTPS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sbkube.sandbox.inprocess import Cut, InProcess
from sbkube.sandbox.status import StatusError

Json = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"
APPLY = {"Content-Type": "application/apply-patch+yaml", "User-Agent": "test/1"}


@pytest.fixture
def box() -> Iterator[InProcess]:
    """An empty sandbox."""
    with InProcess() as made:
        yield made


def apply(box: InProcess, name: str = "c", query: str = "fieldManager=m", **data: str) -> int:
    """Applies a ConfigMap; gives the code of the answer."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    return box.request("PATCH", f"{MAPS}/{name}?{query}", body, APPLY).status


def names(box: InProcess) -> set[str]:
    """The names of the ConfigMaps."""
    found = box.request("GET", MAPS).json()["items"]
    return {o["metadata"]["name"] for o in found} - {"kube-root-ca.crt"}


def test_it_answers_like_the_server(box: InProcess) -> None:
    assert box.request("GET", "/version").json()["gitVersion"].endswith("sandbox")
    assert (apply(box), apply(box)) == (201, 200)
    answer = box.request("GET", f"{MAPS}/none")
    assert (answer.status, answer.json()["reason"]) == (404, "NotFound")
    assert box.request("POST", MAPS, b"x" * (3 << 20) + b"y").status == 413


def test_objects_stay_in_a_folder(tmp_path: Path) -> None:
    with InProcess(tmp_path) as box:
        apply(box)
    with InProcess(tmp_path) as box:
        assert names(box) == {"c"}


@pytest.mark.parametrize(("cut", "kept"), [("before", set()), ("after", {"c"}), ("body", {"c"})])
def test_a_cut_loses_the_answer_and_perhaps_the_work(box: InProcess, cut: str, kept: set[str]) -> None:
    box.add_faults({"verb": "patch", "cut": cut})
    with pytest.raises(Cut) as caught:
        apply(box)
    assert (caught.value.where, bool(caught.value.received)) == (cut, cut == "body")
    assert names(box) == kept
    assert apply(box, a="2") == (200 if kept else 201)


def test_a_create_is_met_by_the_name_in_its_body(box: InProcess) -> None:
    box.add_faults({"verb": "create", "name": "b", "status": 503})
    codes = [box.request("POST", MAPS, {"metadata": {"name": n}}).status for n in "abb"]
    assert codes == [201, 503, 201]


def test_chosen_kinds_refuse_dry_runs(box: InProcess) -> None:
    box.add_faults({"kind": "ConfigMap", "dry_run": True, "status": 400, "times": 0})
    assert apply(box, query="fieldManager=m&dryRun=All") == 400
    assert apply(box) == 201
    assert apply(box, query="fieldManager=m&dryRun=All") == 400


def test_documents_meet_faults_by_path(box: InProcess) -> None:
    box.add_faults({"path": "/openapi/*", "status": 503}, {"path": "/apis", "cut": "before"})
    assert box.request("GET", "/openapi/v3").status == 503
    with pytest.raises(Cut):
        box.request("GET", "/apis")
    assert box.request("GET", "/apis").status == 200


def test_the_log_tells_what_was_asked(box: InProcess) -> None:
    apply(box, "before")
    box.keep_requests(3)
    box.add_faults({"verb": "patch", "name": "lost", "cut": "after"})
    apply(box, query="fieldManager=m&dryRun=All")
    with pytest.raises(Cut):
        apply(box, "lost")
    box.request("GET", MAPS + "/none")
    found = box.requests()
    assert [(e["verb"], e["name"], e["status"], e["outcome"], e["dry_run"]) for e in found] == [
        ("patch", "c", 0 + 201, "answered", True),
        ("patch", "lost", 0, "cut after", False),
        ("get", "none", 404, "answered", False),
    ]
    assert (found[0]["manager"], found[0]["agent"], found[0]["kind"]) == ("m", "test/1", "ConfigMap")
    apply(box)
    assert len(box.requests()) == 3
    box.keep_requests(0)
    apply(box)
    assert box.requests() == []


def _versions(box: InProcess) -> str:
    version: str = box.request("GET", MAPS).json()["metadata"]["resourceVersion"]
    return version


def _events(box: InProcess, query: str) -> list[str]:
    return [e["type"] for e in box.watch(f"{MAPS}?watch=1&{query}")]


def test_a_watch_breaks_after_so_many_events(box: InProcess) -> None:
    version = _versions(box)
    for number in range(3):
        apply(box, f"c{number}")
    since = f"resourceVersion={version}&timeoutSeconds=1"
    assert _events(box, since) == ["ADDED"] * 3
    box.add_faults({"verb": "watch", "after_events": 2, "status": 410})
    assert _events(box, since) == ["ADDED", "ADDED", "ERROR"]
    box.add_faults({"verb": "watch", "after_events": 1, "cut": "body"}, {"verb": "watch", "cut": "body"})
    for wanted in (1, 0):
        seen = []
        with pytest.raises(Cut):
            seen.extend(box.watch(f"{MAPS}?watch=1&{since}"))
        assert len(seen) <= wanted
    box.add_faults({"verb": "watch", "status": 403})
    assert [e["object"]["code"] for e in box.watch(f"{MAPS}?watch=1&{since}")] == [403]


def test_open_watches_can_be_dropped(box: InProcess) -> None:
    version, seen, ended = _versions(box), threading.Event(), threading.Event()

    def listen() -> None:
        try:
            for _ in box.watch(f"{MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=30"):
                seen.set()
        except Cut:
            ended.set()

    thread = threading.Thread(target=listen)
    thread.start()
    apply(box)
    assert seen.wait(10)
    assert box.drop_watches() == 1
    assert ended.wait(10)
    thread.join()
    assert box.drop_watches() == 0


def test_a_forgotten_past_is_gone(box: InProcess) -> None:
    version = _versions(box)
    apply(box)
    box.forget_history()
    (event,) = box.watch(f"{MAPS}?watch=1&resourceVersion={version}")
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert event["object"]["message"].startswith(f"too old resource version: {version} (")


def _control(box: InProcess, method: str, path: str, body: bytes | Json | None = None) -> tuple[int, Json]:
    answer = box.request(method, f"/sandbox{path}", body)
    return answer.status, answer.json()


def test_the_control_endpoint(box: InProcess) -> None:
    assert _control(box, "POST", "/faults", {"status": 500, "verb": "list"})[1]["waiting"] == 1
    assert _control(box, "POST", "/faults", b"[{}, {}]")[1]["waiting"] == 3
    assert _control(box, "GET", "/faults")[1]["faults"][0] == {"verb": ["list"], "times": 1, "status": 500}
    assert _control(box, "DELETE", "/faults")[1]["waiting"] == 0
    assert _control(box, "POST", "/requests", {"keep": 5})[1]["keep"] == 5
    assert _control(box, "POST", "/requests", {"keep": "x"})[0] == 400
    apply(box)
    assert [e["verb"] for e in _control(box, "GET", "/requests")[1]["requests"]] == ["patch"]
    assert _control(box, "DELETE", "/requests")[1]["requests"] == []
    assert _control(box, "DELETE", "/watches")[1] == {"dropped": 0}
    status, facts = _control(box, "DELETE", "/history")
    assert (status, facts["oldestResourceVersion"]) == (200, facts["resourceVersion"])
    assert _control(box, "GET", "")[1]["objects"]["configmaps"] >= 1
    assert _control(box, "POST", "/clock", {"advance": 60})[0] == 200
    for wrong in (b"[]", b'{"advance":-1}', b'{"advance":"x"}', b"{"):
        assert _control(box, "POST", "/clock", wrong)[0] == 400
    assert (_control(box, "GET", "/nothing")[0], _control(box, "PUT", "/faults")[0]) == (404, 405)


@pytest.mark.parametrize("use", [InProcess.add_faults, lambda box, f: box.keep_requests(-1)])
def test_wrong_use_is_told(box: InProcess, use: Callable[[InProcess, Json], None]) -> None:
    with pytest.raises(StatusError):
        use(box, {"no": "such member"})


def test_a_version_that_is_not_served_has_only_unknown_fields(box: InProcess) -> None:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    names = {"plural": "things", "kind": "Thing"}
    spec = {"group": "e.com", "scope": "Namespaced", "names": names, "versions": [version]}
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert box.request("POST", crds, {"metadata": {"name": "things.e.com"}, "spec": spec}).status == 201
    body = {"apiVersion": "e.com/v9", "kind": "Thing", "metadata": {"name": "t"}, "spec": {}, "more": 1}
    path = "/apis/e.com/v1/namespaces/default/things"
    answer = box.request("POST", path, body)
    assert answer.status == 400
    assert answer.headers["Warning"] == r'299 - "unknown field \"spec\"", 299 - "unknown field \"more\""'
    assert "Warning" not in box.request("POST", path + "?fieldValidation=Ignore", body).headers
