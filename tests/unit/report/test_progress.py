"""Progress tells what is new, once, from any thread."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sbkube.models.outcome import Event
from sbkube.report.board import Board, subject_of
from sbkube.report.progress import PlainProgress

NOW = datetime(2026, 5, 1, tzinfo=UTC)
OP = "web/apply/Deployment/shop/web"


def at(seconds: float, kind: str, **fields: str) -> Event:
    return Event(kind, NOW + timedelta(seconds=seconds), **fields)  # type: ignore[arg-type]


RUN = [
    at(0, "deployment.started", subject="dep-1"),
    at(0, "app.started", app="web"),
    at(0, "operation.started", app="web", subject=OP),
    at(1, "operation.ended", app="web", subject=OP, status="applied"),
    at(1, "wait.progress", app="web", subject="Deployment/web", message="0 of 1 ready"),
    at(2, "wait.progress", app="web", subject="Deployment/web", message="0 of 1 ready"),
    at(12, "wait.progress", app="web", subject="Deployment/web", message="0 of 1 ready"),
    at(13, "warning", app="web", message="slow"),
    at(14, "app.ended", app="web", status="failed", message="Pod/web-1: ImagePullBackOff"),
    at(14, "app.ended", app="db", status="pending"),
    at(14, "deployment.ended", subject="dep-1", status="failed"),
]


def test_plain_lines() -> None:
    lines: list[str] = []
    listener = PlainProgress(lines.append)
    for event in RUN:
        listener(event)
    assert lines == [
        "web: started",
        "web: waiting for Deployment/web: 0 of 1 ready",
        "web: waiting for Deployment/web: 0 of 1 ready",
        "! web: slow",
        "✗ web: failed in 14s: Pod/web-1: ImagePullBackOff",
        "- db: not started",
    ]


def test_verbose_tells_every_operation() -> None:
    lines: list[str] = []
    listener = PlainProgress(lines.append, verbose=True)
    for event in RUN[:4]:
        listener(event)
    assert lines[-1] == "web: Deployment/web applied"


def test_failed_operations_are_always_told() -> None:
    lines: list[str] = []
    PlainProgress(lines.append)(at(0, "operation.ended", app="web", subject=OP, status="failed", message="no"))
    assert lines == ["web: Deployment/web failed: no"]


def test_an_error_is_told_once_and_short() -> None:
    lines: list[str] = []
    listener = PlainProgress(lines.append)
    why = "CrashLoopBackOff: Pod/web-1 in shop, container job: exited with code 1; last said: " + "no " * 40
    listener(at(0, "app.started", app="web"))
    listener(at(1, "operation.ended", app="web", subject="web/wait/ready", status="failed", message=why))
    listener(at(2, "app.ended", app="web", status="failed", message=why))
    told = "CrashLoopBackOff: Pod/web-1 in shop, container job: exited with code 1"
    assert lines == ["web: started", f"web: failed: {told}", "✗ web: failed in 2.0s"]


def test_board_counts() -> None:
    board = Board()
    for event in RUN:
        board.take(event)
    web, db = board.lines()
    assert (web.done, web.status, db.status) == (1, "failed", "pending")


def test_a_board_forgets_the_run_before() -> None:
    board = Board()
    for event in [*RUN, at(20, "deployment.started", subject="dep-2"), at(21, "app.started", app="web")]:
        board.take(event)
    (web,) = board.lines()
    assert web.ended is None and web.done == 0


def test_subject_of() -> None:
    assert subject_of(OP) == "Deployment/web"
    assert subject_of("phase/" + OP) == "Deployment/web"
    assert subject_of("odd") == "odd"
