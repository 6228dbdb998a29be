"""One stage for each worker: the prepared states, and the process that runs command lines. And the summary."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import household, workshop
from faults.kills import Whole
from faults.length import LONG
from faults.stage import Stage
from faults.victim import Victims
from repositories import commit_all, new_repository
from web_server import serving

Tally = Callable[..., None]


@pytest.fixture(scope="session")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    """Runs command lines as processes."""
    running = Victims(tmp_path_factory.mktemp("victims"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory, victims: Victims) -> Stage:
    """The prepared states of the fault tests' project."""
    prepared = Stage(Path(tmp_path_factory.mktemp("stage")), victims)
    prepared.prepare()
    return prepared


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The workshop in its states, with what it takes from elsewhere."""
    folder = tmp_path_factory.mktemp("workshop")
    repository = new_repository(folder / "code")
    (repository / "far.yaml").write_text(json.dumps(workshop.configmap("far", far="away")))
    commit_all(repository, "far")
    victims = Victims(tmp_path_factory.mktemp("victims"))
    with serving() as site:
        site.files["/file.json"] = json.dumps(workshop.configmap("from-web", far="away")).encode()
        stage = Stage(folder / "stage", victims, workshop.writer(f"{site.url}/file.json", str(repository)))
        stage.extra = {"TRACE": "/dev/null"}
        stage.prepare()
        yield stage
    victims.close()


@pytest.fixture(scope="session")
def wholes(workplace: Stage) -> dict[str, Whole]:
    """The uninterrupted runs."""
    found = {}
    for scenario in (workshop.APPLY, workshop.ROLLBACK):
        with workplace.case(scenario.start) as case:
            trace = workshop.traced(case)
            before = case.content()
            ended = case.run(*scenario.words)
            assert ended.code == 0, ended
            if scenario is workshop.APPLY:
                assert all(workshop.lines(trace)[f"end {name}"] == 1 for name in workshop.COMMANDS)
            requests = case.guard.count
            bad = tuple(case.disagreements())
            found[scenario.name] = Whole(ended.commits, requests, before, case.content(), Counter(), bad)
    return found


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The three projects in their states."""
    victims = Victims(tmp_path_factory.mktemp("victims"))
    stage = Stage(tmp_path_factory.mktemp("household"), victims, household.write)
    stage.extra, stage.projects = {"TRACE": "/dev/null"}, household.PROJECTS
    stage.prepare()
    yield stage
    victims.close()


@pytest.fixture(scope="session")
def households(home: Stage) -> dict[str, Whole]:
    """The uninterrupted runs."""
    found = {}
    for scenario in household.SCENARIOS.values():
        with home.case(scenario.start) as case:
            workshop.traced(case)
            before = case.content()
            ended = case.run(*scenario.words)
            assert ended.code == 0, ended
            requests, bad = case.guard.count, tuple(case.disagreements())
            found[scenario.name] = Whole(ended.commits, requests, before, case.content(), Counter(), bad)
    return found


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """`tally(cases=1, bad=0)` counts for the summary."""
    began, counts = time.monotonic(), Counter[str]()

    def add(**numbers: int) -> None:
        counts.update(numbers)

    yield add
    suite = request.node.path.stem.removeprefix("test_")
    entry = {"suite": suite, "seconds": time.monotonic() - began, **counts}
    request.node.user_properties.append(("tally", entry))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long form takes its time."""
    for item in items:
        if LONG and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(3000))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Counts of everything that was tried."""
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, entry in getattr(report, "user_properties", ()):
                if name == "tally" and report.when == "teardown":
                    totals[entry["suite"]].update({k: v for k, v in entry.items() if k != "suite"})
    if not totals:
        return
    terminalreporter.section("what was tried")
    for suite, counts in sorted(totals.items()):
        seconds = counts.pop("seconds")
        words = ", ".join(f"{number} {word.replace('_', ' ')}" for word, number in counts.items())
        terminalreporter.write_line(f"{suite}: {words}, {seconds:.0f} s")
