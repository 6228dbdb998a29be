"""CronJobs: a Job whenever the schedule is due, as many kept as the limits say.

Which times are due, missed and too late follows the CronJob controller (`pkg/controller/cronjob`). Its clock can
be moved forward on demand, so that nobody has to wait for a night.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.cluster import Json, Key, copied, key_of, owner_reference, terminating
from sbkube.sandbox.controllers.jobs import finished
from sbkube.sandbox.controllers.runtime import seconds_of
from sbkube.sandbox.cron import Schedule
from sbkube.sandbox.status import StatusError

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

_COMPONENT = "cronjob-controller"
_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"


async def reconcile(run: Controllers, key: Key, obj: Json | None) -> None:
    """Notes ended jobs, removes what is too old, and starts the job that is due."""
    if obj is None or terminating(obj):
        return
    jobs = run.owned(obj, "Job")
    status = copied(obj.get("status") or {})
    await _note_ended(run, obj, status, jobs)
    await _remove_old(run, obj, jobs)
    if not obj["spec"].get("suspend"):
        await _start_due(run, key, obj, status, jobs)
    live = run.get(key)
    if live is not None and live["metadata"]["uid"] == obj["metadata"]["uid"]:
        await run.write_status(live, {k: v for k, v in status.items() if v})


async def _note_ended(run: Controllers, obj: Json, status: Json, jobs: list[Json]) -> None:
    by_uid = {j["metadata"]["uid"]: j for j in jobs}
    active = []
    for reference in status.get("active") or ():
        job = by_uid.get(reference["uid"])
        if job is None:
            text = f"Active job went missing: {reference['name']}"
            await run.event(obj, "Normal", "MissingJob", text, _COMPONENT)
        elif not finished(job):
            active.append(reference)
        else:
            text = f"Saw completed job: {reference['name']}, condition: {finished(job)}"
            await run.event(obj, "Normal", "SawCompletedJob", text, _COMPONENT)
    known = {r["uid"] for r in active}
    active += [_reference(j) for j in jobs if not finished(j) and j["metadata"]["uid"] not in known]
    status["active"] = active
    ends = [(j.get("status") or {}).get("completionTime", "") for j in jobs if finished(j) == "Complete"]
    status["lastSuccessfulTime"] = max([*ends, status.get("lastSuccessfulTime") or ""])


async def _remove_old(run: Controllers, obj: Json, jobs: list[Json]) -> None:
    for word, limit, usual in (
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ):
        ended = sorted((j for j in jobs if finished(j) == word and not terminating(j)), key=_begun)
        kept = obj["spec"].get(limit, usual)
        await _delete(run, obj, ended[: max(0, len(ended) - kept)])


def _begun(job: Json) -> tuple[str, str]:
    return str((job.get("status") or {}).get("startTime") or ""), job["metadata"]["name"]


async def _delete(run: Controllers, obj: Json, jobs: Iterable[Json]) -> None:
    for job in jobs:
        await run.cluster.delete(key_of(job), job["metadata"]["uid"])
        text = f"Deleted job {job['metadata']['name']}"
        await run.event(obj, "Normal", "SuccessfulDelete", text, _COMPONENT)


async def _start_due(run: Controllers, key: Key, obj: Json, status: Json, jobs: list[Json]) -> None:
    spec, now = obj["spec"], run.time()
    try:
        schedule = Schedule.of(spec["schedule"], spec.get("timeZone") or "")
    except (ValueError, KeyError):
        text = f"unparseable schedule: {spec.get('schedule')}"
        await run.event(obj, "Warning", "UnparseableSchedule", text, _COMPONENT)
        return
    since = seconds_of(status.get("lastScheduleTime") or obj["metadata"]["creationTimestamp"])
    deadline = spec.get("startingDeadlineSeconds")
    if deadline is not None:
        since = max(since, now - deadline)
    due = schedule.latest(since, now)
    following = schedule.after(now)
    if following is not None:
        run.later(following - now + 0.01, key)
    if due is None:
        return
    active = [j for j in jobs if not finished(j) and not terminating(j)]
    policy = spec.get("concurrencyPolicy", "Allow")
    if policy == "Forbid" and active:
        text = "Not starting job because prior execution is running and concurrency policy is Forbid"
        await run.event(obj, "Normal", "JobAlreadyActive", text, _COMPONENT)
        return
    if policy == "Replace":
        await _delete(run, obj, active)
        status["active"] = []
    job = await _create(run, obj, due)
    if job is not None:
        status["active"] = [*status["active"], _reference(job)]
    status["lastScheduleTime"] = _text(due)


async def _create(run: Controllers, obj: Json, due: float) -> Json | None:
    template = copied(obj["spec"]["jobTemplate"])
    meta = template.get("metadata") or {}
    name = f"{obj['metadata']['name']}-{int(due) // 60}"
    made = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": obj["metadata"]["namespace"],
            "labels": meta.get("labels") or {},
            "annotations": {**(meta.get("annotations") or {}), _SCHEDULED: _text(due)},
            "ownerReferences": [owner_reference(obj)],
        },
        "spec": template["spec"],
    }
    try:
        job = await run.cluster.create(made)
    except StatusError as error:
        if error.code != 409:
            text = f"Error creating job: {error.message}"
            await run.event(obj, "Warning", "FailedCreate", text, _COMPONENT)
        return None
    await run.event(obj, "Normal", "SuccessfulCreate", f"Created job {name}", _COMPONENT)
    return job


def _reference(job: Json) -> Json:
    meta = job["metadata"]
    found = {"kind": "Job", "apiVersion": "batch/v1", **{k: meta[k] for k in ("name", "namespace", "uid")}}
    return {**found, "resourceVersion": meta["resourceVersion"]}


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
