"""What a page says of a deployment whose run was killed, before anybody settles it."""

from __future__ import annotations

from sbkube.api import Browser
from sbkube.models.deployment_state import DeploymentCreate, LockTarget
from sbkube.models.plan import Plan
from sbkube.state.tracker import DeploymentTracker


def test_it_is_interrupted_when_its_lock_is_gone(tracker: DeploymentTracker, create: DeploymentCreate) -> None:
    browser, target = Browser(tracker), LockTarget(create.project, create.cluster_uid, create.namespace)
    lock = tracker.acquire(target, "apply")
    plan = Plan(create.project, create.namespace, "apply", create.cluster, create.cluster_uid)
    name = tracker.begin(create, plan, lock).record.deployment_id

    def seen() -> tuple[str, ...]:
        filtered = [len(browser.timeline(status=word).records) for word in ("in_progress", "interrupted")]
        shown = (browser.newest()[0], browser.timeline().records[0], browser.outline(name).detail.deployment)
        return (*(record.status for record in shown), browser.totals()[0][2], *map(str, filtered))

    pulse = browser.pulse(), browser.pulse(name)
    assert seen() == (*["in_progress"] * 4, "1", "0")
    tracker.release(lock)
    assert seen() == (*["interrupted"] * 4, "0", "1")
    assert browser.pulse() != pulse[0] and browser.pulse(name) != pulse[1]
