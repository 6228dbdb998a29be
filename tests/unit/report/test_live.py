"""What stands on a terminal while a run goes on, seen through a terminal emulator. No test waits for a clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pyte
import pytest

from sbkube.models.outcome import Event
from sbkube.models.plan import AppPlan, Operation, Plan, Verb
from sbkube.models.resource import ResourceKey
from sbkube.report.ink import Ink
from sbkube.report.layout import visible
from sbkube.report.live import Live
from sbkube.report.progress import LiveProgress

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Screen:
    """A terminal: takes what is written, and tells what is seen."""

    def __init__(self, columns: int = 60, rows: int = 12) -> None:
        self.size = (columns, rows)
        self.screen = pyte.HistoryScreen(columns, rows, history=1000)
        self.screen.set_mode(pyte.modes.LNM)  # as a terminal's driver does: a new line begins at the left
        self._stream = pyte.Stream(self.screen)
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)
        self._stream.feed(text)

    def flush(self) -> None:
        """Everything is there already."""

    def isatty(self) -> bool:
        return True

    @property
    def seen(self) -> list[str]:
        """The lines that are not empty."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)
        self.screen.resize(rows, columns)


class Stage:
    """A run on a screen, at a time that tests move."""

    def __init__(self, screen: Screen, apps: Iterable[str] = (), *, verbose: bool = False) -> None:
        self.screen, self.now = screen, NOW
        self.progress = LiveProgress(
            screen,  # type: ignore[arg-type]
            lambda: self.now,
            Ink(),
            lambda: screen.size,
            verbose=verbose,
        )
        self.progress.expect(plan(apps))

    def event(self, kind: str, **fields: object) -> None:
        self.progress._board.take(Event(kind, self.now, **fields))  # type: ignore[arg-type]

    def later(self, seconds: float) -> list[str]:
        """The screen after a while."""
        self.now += timedelta(seconds=seconds)
        self.progress.live._frame()
        return self.screen.seen


def plan(apps: Iterable[str]) -> Plan:
    names = list(apps)
    found = []
    for name, before in zip(names, ["", *names], strict=False):
        key = ResourceKey("apps", "v1", "Deployment", "shop", name)
        op = Operation(f"{name}/apply/Deployment/shop/{name}", name, Verb.APPLY, key)
        found.append(AppPlan(name, "yaml", "shop", depends_on=(before,) if before else (), operations=(op,)))
    return Plan("shop", "shop", "apply", "k3s", "uid", tuple(found))


def test_each_app_says_what_it_does_or_waits_for() -> None:
    stage = Stage(Screen(), ["database", "web", "jobs"])
    stage.event("deployment.started")
    stage.event("app.started", app="database")
    stage.event("wait.progress", app="database", subject="Deployment/database in shop", message="1 of 3 ready")
    assert stage.later(12)[1:] == [
        f"{stage.screen.seen[0][0]} database  1 of 3 ready: Deployment/database           12s",
        "· web       after database",
        "· jobs      after web",
    ]


def test_several_objects_stand_below_their_app() -> None:
    stage = Stage(Screen(), ["database"])
    stage.event("deployment.started")
    stage.event("app.started", app="database")
    waits = {"Deployment/a in shop": "0 of 1 ready", "Job/b in shop": "0 of 1 succeeded"}
    stage.event("wait.progress", app="database", subject="Deployment/a in shop", data=waits)
    assert stage.later(1)[2:] == ["  ├ Deployment/a  0 of 1 ready", "  └ Job/b  0 of 1 succeeded"]


def test_a_narrow_terminal_shows_why() -> None:
    stage = Stage(Screen(40), ["database"])
    stage.event("deployment.started")
    stage.event("app.started", app="database")
    name = "Deployment/the-database-of-orders in shop"
    stage.event("wait.progress", app="database", subject=name, message="0 of 1 ready")
    assert "database  0 of 1 ready: Deploym…  12s" in stage.later(12)[1]
    waits = {name: "0 of 1 ready", "Job/b in shop": "0 of 1 succeeded"}
    stage.event("wait.progress", app="database", subject=name, data=waits)
    assert stage.later(1)[2] == "  ├ Deployment/the-datab…  0 of 1 ready"


def test_a_failure_stays_in_sight_and_what_went_well_folds() -> None:
    names = [f"app-{number:03d}" for number in range(100)]
    stage = Stage(Screen(), names)
    stage.event("deployment.started")
    for name in names[:60]:
        stage.event("app.started", app=name)
    for name in names[:40]:
        status = "failed" if name == "app-007" else "success"
        stage.event("app.ended", app=name, status=status, message="Pod/x: ImagePullBackOff")
    stage.event("app.ended", app="app-099", status="pending")
    seen = stage.later(3)
    assert len(seen) == 12 and "41 of 100 apps" in seen[0] and "1 failed" in seen[0]
    assert any(line.startswith("✗ app-007  Pod/x: ImagePullBackOff") for line in seen)
    assert (
        "✓ 39 apps done" in seen and "· 39 apps to come, after app-059" in seen and "- 1 app not started" in seen
    )
    assert any(line.startswith("  … and ") and line.endswith(" more at work") for line in seen)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 10), (200, 50), (20, 3), (9, 1)])
def test_it_always_fits(columns: int, rows: int) -> None:
    names = [f"app-with-a-long-name-日本-{number:03d}" for number in range(100)]
    stage = Stage(Screen(columns, rows), names)
    stage.event("deployment.started")
    for name in names[:50]:
        stage.event("app.started", app=name)
        waits = {f"Deployment/{name}-{at} in shop": "0 of 3 ready" for at in range(10)}
        stage.event("wait.progress", app=name, subject=name, data=waits)
    lines = stage.progress.lines(columns - 1, rows)
    assert 0 < len(lines) <= rows and all(visible(line) < columns for line in lines)
    stage.later(1)
    assert not stage.screen.screen.history.top, "nothing has scrolled away"


def test_only_lines_that_changed_are_written() -> None:
    stage = Stage(Screen(), ["database", "web"])
    stage.event("deployment.started")
    stage.later(0)
    before = len(stage.screen.written)
    stage.later(0)
    assert len(stage.screen.written) == before, "nothing new, nothing written"
    stage.event("app.started", app="web")
    stage.later(0)
    assert "database" not in "".join(stage.screen.written[before:])


def test_lines_become_fewer_and_more_without_a_trace() -> None:
    shown = ["one", "two", "three"]
    screen = Screen()
    live = Live(screen, lambda width, height: shown, lambda: screen.size)  # type: ignore[arg-type]
    for shown in (["one", "two", "three"], ["two"], ["a", "b"], [], ["last", "line"]):
        live._frame()
        assert screen.seen == shown


def test_a_narrower_terminal_leaves_no_trace() -> None:
    screen = Screen(40, 12)
    live = Live(screen, lambda width, height: ["x" * 30, "y"], lambda: screen.size)  # type: ignore[arg-type]
    live._frame()
    assert live._up(20) == "\x1b[2A\r", "three rows by now"


def test_what_is_told_stands_above_and_stays() -> None:
    stage = Stage(Screen(), ["web"])
    screen = stage.screen
    stage.event("deployment.started")
    stage.progress.live.start()
    stage.progress(Event("warning", NOW, app="web", message="slow"))
    with stage.progress.live.aside():
        screen.write("an answer\n")
    stage.progress.close()
    stage.progress.close()
    assert sorted(screen.seen) == ["! web: slow", "an answer"]
    assert not screen.screen.cursor.hidden and screen.screen.cursor.x == 0


def test_verbose_tells_every_operation() -> None:
    stage = Stage(Screen(), ["web"], verbose=True)
    stage.progress(
        Event("operation.ended", NOW, app="web", subject="web/apply/Deployment/shop/web", status="applied")
    )
    assert stage.screen.seen == ["web: Deployment/web applied"]


def test_planning_is_shown_when_it_takes_long() -> None:
    stage = Stage(Screen())
    stage.progress._what = ("planning", NOW)
    assert stage.later(0.1) == []
    assert stage.later(1.9)[0].endswith("planning  2.0s")
    stage.event("app.compared", app="web", data={"of": 7})
    assert stage.later(1)[0].endswith("planning: 1 of 7 apps  3.0s")


def test_what_is_watched_stays_at_the_end() -> None:
    stage = Stage(Screen(40, 3))
    stage.progress.show("first\nsecond")
    stage.progress.show("\n".join("abcde"))
    stage.progress.close()
    assert stage.screen.seen == ["b", "… 3 more lines"], "the cursor stands below it"
