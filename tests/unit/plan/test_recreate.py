"""When an object may be deleted and made anew."""

from __future__ import annotations

from typing import Any

import pytest

from sbkube.plan.recreate import ruling


def _body(kind: str, policy: str = "", **more: Any) -> dict[str, Any]:
    annotations = {"sbkube.dev/recreate": policy} if policy else {}
    return {"kind": kind, "metadata": {"name": "x", "annotations": annotations}, **more}


CLAIMS = {"spec": {"volumeClaimTemplates": [{}]}}


@pytest.mark.parametrize(
    ("desired", "live", "allowed"),
    [
        (_body("Job"), _body("Job"), True),
        (_body("Job"), _body("Job", status={"active": 1}), True),
        (_body("Job"), _body("Job", status={"active": 1, "ready": 1}), False),
        (_body("Job", "always"), _body("Job", status={"ready": 1}), True),
        (_body("Job", "never"), _body("Job"), False),
        (_body("Deployment"), _body("Deployment"), False),
        (_body("Deployment", "when-safe"), _body("Deployment"), True),
        (_body("StatefulSet", "when-safe", **CLAIMS), _body("StatefulSet", **CLAIMS), False),
        (_body("StatefulSet", "always", **CLAIMS), _body("StatefulSet", **CLAIMS), True),
        (_body("StatefulSet", "when-safe"), _body("StatefulSet"), True),
        (_body("PersistentVolumeClaim", "when-safe"), _body("PersistentVolumeClaim"), False),
        (_body("PersistentVolumeClaim", "always"), _body("PersistentVolumeClaim"), True),
        (_body("Job", "sometimes"), _body("Job"), False),
    ],
)
def test_ruling(desired: dict[str, Any], live: dict[str, Any], allowed: bool) -> None:
    found = ruling(desired, live, ours=True)
    assert found.allowed is allowed
    assert allowed or found.hint


def test_what_must_be_kept_or_is_not_ours_is_not_deleted() -> None:
    kept = {"kind": "Job", "metadata": {"annotations": {"sbkube.dev/deletion": "keep"}}}
    assert not ruling(_body("Job", "always"), kept, ours=True).allowed
    assert not ruling(_body("Job"), _body("Job"), ours=False).allowed
    assert ruling(_body("Job", "always"), _body("Job"), ours=False).allowed
