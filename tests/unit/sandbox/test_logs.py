"""Logs: what a container says, and when it cannot have said anything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from sbkube.sandbox.inprocess import InProcess, Response

Json = dict[str, Any]
PODS = "/api/v1/namespaces/default/pods"
FAIL, LOG = "sandbox.sbkube.dev/fail", "sandbox.sbkube.dev/log"


@pytest.fixture(scope="module")
def box() -> Iterator[InProcess]:
    with InProcess() as made:
        yield made


def pod(box: InProcess, name: str, *, containers: tuple[str, ...] = ("main",), **more: Any) -> None:
    """Makes a pod and waits until it is as it will stay."""
    spec = {"containers": [{"name": c, "image": "example:1"} for c in containers], **more.pop("spec", {})}
    body = {"metadata": {"name": name, "annotations": more}, "spec": spec}
    assert box.request("POST", PODS, body).status == 201
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = box.request("GET", f"{PODS}/{name}").json()["status"]
        states = [s["state"].get("waiting", {}).get("reason", "") for s in status.get("containerStatuses") or ()]
        if status.get("conditions") and "ContainerCreating" not in states:
            return
        time.sleep(0.01)
    raise AssertionError(f"{name} did not settle: {status}")


def log(box: InProcess, name: str, query: str = "") -> Response:
    return box.request("GET", f"{PODS}/{name}/log?{query}")


def refusal(response: Response) -> tuple[int, str, str]:
    body = response.json()
    assert body["kind"] == "Status"
    return response.status, body["reason"], body["message"]


def test_a_running_container_says_its_text(box: InProcess) -> None:
    pod(box, "runs", **{LOG: "one\ntwo\nthree"})
    said = log(box, "runs")
    assert (said.status, said.headers["Content-Type"], said.body) == (200, "text/plain", b"one\ntwo\nthree\n")
    assert log(box, "runs", "container=main&follow=true").body == said.body
    pod(box, "silent")
    assert b"sandbox" in log(box, "silent").body


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tailLines=2", b"two\nthree\n"),
        ("tailLines=0", b""),
        ("tailLines=9", b"one\ntwo\nthree\n"),
        ("limitBytes=5", b"one\nt"),
        ("sinceSeconds=3600", b"one\ntwo\nthree\n"),
        ("sinceTime=2100-01-01T00:00:00Z", b""),
    ],
)
def test_a_part_of_it(box: InProcess, query: str, expected: bytes) -> None:
    if box.request("GET", f"{PODS}/parts").status == 404:
        pod(box, "parts", **{LOG: "one\ntwo\nthree\n"})
    assert log(box, "parts", query).body == expected


def test_lines_with_their_time(box: InProcess) -> None:
    pod(box, "timed", **{LOG: "one\ntwo"})
    started = box.request("GET", f"{PODS}/timed").json()["status"]["containerStatuses"][0]["state"]["running"]
    stamp = started["startedAt"].rstrip("Z").encode()
    lines = log(box, "timed", "timestamps=true").body.splitlines()
    assert [line.partition(b" ")[2] for line in lines] == [b"one", b"two"]
    assert all(line.startswith(stamp) for line in lines)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("tailLines=-1", "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("limitBytes=0", "limitBytes: Invalid value: 0: must be greater than 0"),
        ("sinceSeconds=0", "sinceSeconds: Invalid value: 0: must be greater than 0"),
    ],
)
def test_options_that_make_no_sense(box: InProcess, query: str, message: str) -> None:
    assert refusal(log(box, "any", query)) == (422, "Invalid", f'PodLogOptions "any" is invalid: {message}')


def test_a_number_that_is_none(box: InProcess) -> None:
    code, reason, message = refusal(log(box, "any", "tailLines=many"))
    assert (code, reason) == (400, "BadRequest")
    assert 'parsing "many"' in message


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("ImagePullBackOff", "trying and failing to pull image"),
        ("ErrImagePull", "image can't be pulled"),
        ("CreateContainerConfigError", "CreateContainerConfigError"),
    ],
)
def test_a_container_that_waits_has_no_log(box: InProcess, word: str, why: str) -> None:
    name = word.lower()
    pod(box, name, **{FAIL: word})
    expected = (400, "BadRequest", f'container "main" in pod "{name}" is waiting to start: {why}')
    assert refusal(log(box, name)) == expected
    assert refusal(log(box, name, "follow=true")) == expected


def test_a_container_that_crashed_has_the_log_of_its_last_run(box: InProcess) -> None:
    pod(box, "crashed", **{FAIL: "CrashLoopBackOff", LOG: "panic: no database"})
    assert log(box, "crashed").body == b"panic: no database\n"
    assert log(box, "crashed", "previous=true").body == b"panic: no database\n"
    pod(box, "well")
    assert refusal(log(box, "well", "previous=true")) == (
        400,
        "BadRequest",
        'previous terminated container "main" in pod "well" not found',
    )


def test_a_pod_that_nobody_runs(box: InProcess) -> None:
    pod(box, "nowhere", **{FAIL: "Unschedulable"})
    assert (log(box, "nowhere").status, log(box, "nowhere").body) == (200, b"")
    pod(box, "evicted", **{FAIL: "Evicted"})
    assert refusal(log(box, "evicted"))[2] == 'container "main" in pod "evicted" is not available'
    assert refusal(log(box, "missing"))[:2] == (404, "NotFound")


def test_one_of_several_containers_has_to_be_named(box: InProcess) -> None:
    first = [{"name": "init", "image": "example:1"}]
    pod(box, "many", containers=("main", "side"), spec={"initContainers": first}, **{LOG: "hello"})
    assert refusal(log(box, "many")) == (
        400,
        "BadRequest",
        (
            "a container name must be specified for pod many, choose one of: [main side] "
            "or one of the init containers: [init]"
        ),
    )
    assert log(box, "many", "container=side").body == b"hello\n"
    assert log(box, "many", "container=init").body == b"hello\n"
    assert refusal(log(box, "many", "container=other"))[2] == "container other is not valid for pod many"
