"""CronJobs start, forbid, replace and remove jobs as their schedule and limits say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sbkube.sandbox.inprocess import InProcess

Json = dict[str, Any]
CRONS, JOBS = "/apis/batch/v1/namespaces/default/cronjobs", "/apis/batch/v1/namespaces/default/jobs"
SLOW = {"sandbox.sbkube.dev/ready-after": "3600"}
HOUR = 3600.0


@pytest.fixture
def box() -> Iterator[InProcess]:
    """An empty sandbox."""
    with InProcess() as made:
        yield made


def create(box: InProcess, annotations: Json | None = None, **spec: Any) -> None:
    """A CronJob that is due every hour."""
    pod = {"containers": [{"name": "m", "image": "i"}], "restartPolicy": "Never"}
    template = {"metadata": {"annotations": annotations or {}}, "spec": pod}
    job = {"metadata": {"labels": {"of": "cron"}}, "spec": {"template": template, "backoffLimit": 0}}
    body = {"metadata": {"name": "c"}, "spec": {"schedule": "0 * * * *", "jobTemplate": job, **spec}}
    answer = box.request("POST", CRONS, body)
    assert answer.status == 201, answer.body


def jobs(box: InProcess) -> list[Json]:
    """The jobs, oldest first."""
    found: list[Json] = box.request("GET", JOBS).json()["items"]
    return sorted(found, key=lambda j: str(j["metadata"]["name"]))


def status(box: InProcess) -> Json:
    """The status of the CronJob."""
    found: Json = box.request("GET", f"{CRONS}/c").json().get("status") or {}
    return found


def until(check: Callable[[], object]) -> None:
    """Waits for what controllers do."""
    end = time.monotonic() + 10
    while not check():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def quiet(box: InProcess) -> None:
    """Waits until the controllers have nothing to do."""
    calm = 0
    while calm < 5:
        calm = calm + 1 if box.idle else 0
        time.sleep(0.01)


def test_a_job_when_it_is_due(box: InProcess) -> None:
    create(box)
    quiet(box)
    assert jobs(box) == []
    box.advance(HOUR)
    until(lambda: status(box).get("lastSuccessfulTime"))
    (job,) = jobs(box)
    assert job["metadata"]["labels"]["of"] == "cron"
    assert job["metadata"]["ownerReferences"][0]["name"] == "c"
    assert status(box)["lastScheduleTime"].endswith(":00:00Z")
    assert "active" not in status(box)


def test_of_many_missed_times_the_last_counts(box: InProcess) -> None:
    create(box)
    box.advance(HOUR * 24 * 30)
    until(lambda: jobs(box))
    quiet(box)
    assert len(jobs(box)) == 1


def test_history_is_limited(box: InProcess) -> None:
    create(box, successfulJobsHistoryLimit=2)
    seen: set[str] = set()
    for _ in range(4):
        box.advance(HOUR)
        quiet(box)
        seen |= {j["metadata"]["name"] for j in jobs(box)}
    kept = sorted(j["metadata"]["name"] for j in jobs(box))
    assert (len(seen), kept) == (4, sorted(seen)[2:])


def test_failed_jobs_are_limited_too(box: InProcess) -> None:
    create(box, {"sandbox.sbkube.dev/fail": "Error"}, failedJobsHistoryLimit=1)
    for _ in range(3):
        box.advance(HOUR)
        quiet(box)
    until(lambda: len(jobs(box)) == 1)


def test_a_suspended_schedule_starts_nothing(box: InProcess) -> None:
    create(box, suspend=True)
    box.advance(HOUR)
    quiet(box)
    assert jobs(box) == []


def test_a_start_that_is_too_late_is_left_out(box: InProcess) -> None:
    create(box, schedule="0 0 1 1 *", startingDeadlineSeconds=60)
    # The first minutes of a year are hardly now; a year later the deadline is long over.
    box.advance(HOUR * 24 * 365)
    quiet(box)
    assert jobs(box) == []


@pytest.mark.parametrize(
    ("policy", "count", "same"), [("Allow", 2, True), ("Forbid", 1, True), ("Replace", 1, False)]
)
def test_what_happens_while_a_job_runs(box: InProcess, policy: str, count: int, same: bool) -> None:
    create(box, SLOW, concurrencyPolicy=policy)
    box.advance(HOUR)
    until(lambda: len(jobs(box)) == 1)
    quiet(box)
    first = jobs(box)[0]["metadata"]["uid"]
    assert [a["uid"] for a in status(box)["active"]] == [first]
    box.advance(HOUR)
    quiet(box)
    until(lambda: len(jobs(box)) == count and (jobs(box)[0]["metadata"]["uid"] == first) is same)
    assert len(status(box)["active"]) == count
