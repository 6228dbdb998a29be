"""Cases that start from a copied sandbox folder and state database, prepared once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults import agreement, shop
from faults.server import Guard, Running, open_sandbox
from faults.victim import Ended, Started, Victims

from sbkube.state.database import DeploymentDatabase
from sbkube.state.tracker import DeploymentTracker

Json = dict[str, Any]


@dataclass
class Case:
    """One sandbox, one state database, one project folder, and command lines in it."""

    folder: Path
    project: Path
    victims: Victims
    guard: Guard = field(default_factory=Guard)
    url: str = ""  # of the state database; the default is a SQLite file in the case's folder
    extra: dict[str, str] = field(default_factory=dict)  # more for the environment
    projects: tuple[str, ...] = (shop.NAMESPACE,)
    sandbox: Running = field(init=False)

    def open(self) -> None:
        """Start the sandbox."""
        self.sandbox = open_sandbox(self.folder / "sandbox", self.guard)
        (self.folder / "home").mkdir(exist_ok=True)
        self.state.mkdir(exist_ok=True)

    @property
    def state(self) -> Path:
        """The folder of the state database."""
        return self.folder / "state"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.state / "deployments.db"

    def environ(self) -> dict[str, str]:
        """What a command of this case sees."""
        kept = {n: os.environ[n] for n in ("PATH", "TMPDIR", "LANG") if n in os.environ}
        return kept | {
            "HOME": str(self.folder / "home"),
            "SBKUBE_STATE_URL": self.url or str(self.database),
            "KUBECACHEDIR": str(self.folder / "cache"),
            **self.extra,
        }

    def start(self, *words: str, **hooks: Any) -> Started:
        """Start one command line in the project; `hooks` as `victim` understands them."""
        line = [*words, "--kubeconfig", str(self.sandbox.kubeconfig)]
        return self.victims.start(line, self.project, self.environ(), hooks)

    def run(self, *words: str, **hooks: Any) -> Ended:
        """Run one command line to its end."""
        return self.start(*words, **hooks).wait()

    def ok(self, *words: str) -> Ended:
        """Run one command line that must succeed."""
        ended = self.run(*words)
        assert ended.code == 0, f"{' '.join(words)}: exit {ended.code}\n{ended.out}\n{ended.err}"
        return ended

    @contextmanager
    def tracker(self) -> Iterator[DeploymentTracker]:
        """The state database as this test reads it, with the case's key."""
        opened = DeploymentTracker(DeploymentDatabase(self.url or self.database, environ=self.environ()))
        try:
            yield opened
        finally:
            opened.close()

    def settled(self) -> list[Json]:
        """All objects, once the controllers are done."""
        self.sandbox.quiet()
        return self.sandbox.objects()

    def content(self) -> dict[agreement.Identity, Json]:
        """What the deployments left, comparable."""
        return agreement.content(self.settled())

    def disagreements(self) -> list[str]:
        """Everything that is not as it must be after a finished command, in words."""
        objects = self.settled()
        with self.tracker() as tracker:
            database = tracker.database.location.url.render_as_string(hide_password=False)
            bad = agreement.record_is_closed(database, tracker, objects)
            for name in self.projects:
                bad += agreement.record_and_cluster(tracker, objects, agreement.target(objects, name))
        return bad + agreement.stuck(objects) + agreement.in_clear(self.state)

    def close(self) -> None:
        """Stop the sandbox."""
        self.sandbox.close()


@dataclass
class Stage:
    """Prepared states of one project; `victims` runs command lines."""

    folder: Path
    victims: Victims
    write: Callable[[Path, str], None] = shop.write
    extra: dict[str, str] = field(default_factory=dict)  # more for the environment of the preparations
    projects: tuple[str, ...] = (shop.NAMESPACE,)

    @property
    def project(self) -> Path:
        """The project's folder: the same for all cases, since it is part of a project's identity."""
        return self.folder / "project"

    def prepare(self) -> None:
        """Make the states `empty`, `A` and `B`."""
        for name, before in (("empty", ""), ("A", "empty"), ("B", "A")):
            if name != "empty":
                self.write(self.project, name)
            self._made(name, before)

    def _made(self, name: str, before: str) -> None:
        extra = dict(self.extra)
        case = Case(self.folder / name, self.project, self.victims, extra=extra, projects=self.projects)
        if before:
            shutil.copytree(self.folder / before, case.folder)
        else:
            case.folder.mkdir(parents=True)
        case.open()
        if before:
            case.ok("apply", "-y")
            bad = case.disagreements()
            assert not bad, bad
        else:
            case.settled()
        case.close()

    @contextmanager
    def case(self, state: str) -> Iterator[Case]:
        """A case of its own that starts from a prepared state."""
        folder = Path(tempfile.mkdtemp(prefix="case-", dir=self.folder))
        for part in ("sandbox", "state"):
            shutil.copytree(self.folder / state / part, folder / part)
        case = Case(folder, self.project, self.victims, projects=self.projects)
        case.open()
        try:
            yield case
        finally:
            case.close()
            shutil.rmtree(folder, ignore_errors=True)
