"""Command lines as processes that can be killed, forked from one process that has imported everything already.

`python victim.py` reads requests from standard input, one JSON object a line: `{"run": {...}}` forks a process
that runs one command line of sbkube and answers with its pid; `{"wait": pid}` answers with its exit code
(negative: the signal). A run may be told to kill itself at its Nth commit, `before` the database sees it or
`after`.

The parent stays single-threaded and loads no Go library, so that forking it is safe.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # -P leaves our folder out
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import breakages

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended: exit code (negative: the signal), what it wrote, how often it committed."""

    code: int
    out: str
    err: str
    commits: int = 0

    @property
    def killed(self) -> bool:
        """By SIGKILL."""
        return self.code == -signal.SIGKILL

    @property
    def json(self) -> Json:
        """Standard output as the one document that it must be."""
        found: Json = json.loads(self.out)
        return found


@dataclass
class Victims:
    """The forking process, and the folder for what its children write."""

    folder: Path
    _process: subprocess.Popen[str] = field(init=False)
    _number: int = 0

    def __post_init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _ask(self, question: Json) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(
        self, words: Sequence[str], cwd: Path, environ: Mapping[str, str], hooks: Json | None = None
    ) -> Started:
        """Start one command line. `hooks`: what `_install` understands."""
        self._number += 1
        base = self.folder / str(self._number)
        run = {"words": list(words), "cwd": str(cwd), "environ": dict(environ), "base": str(base)}
        return Started(self, int(self._ask({"run": {**run, "hooks": hooks or {}}})), base)

    def run(self, words: Sequence[str], cwd: Path, environ: Mapping[str, str], hooks: Json | None = None) -> Ended:
        """Run one command line to its end."""
        return self.start(words, cwd, environ, hooks).wait()

    def close(self) -> None:
        """End the forking process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)


@dataclass
class Started:
    """A process that runs."""

    victims: Victims
    pid: int
    base: Path

    def wait(self) -> Ended:
        """Until it ends."""
        code = int(self.victims._ask({"wait": self.pid}))
        report = self.base.with_suffix(".json")
        commits = json.loads(report.read_text())["commits"] if report.exists() else 0
        out, err = (self.base.with_suffix(s).read_text() for s in (".out", ".err"))
        for suffix in (".out", ".err", ".json"):
            self.base.with_suffix(suffix).unlink(missing_ok=True)
        return Ended(code, out, err, commits)

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)


# ---- below: the forking process and its children


def _install(hooks: Mapping[str, Any], count: list[int]) -> None:
    """Count commits; kill this process at one, or break the database from a transaction on."""
    from sqlalchemy import Engine, event
    from sqlalchemy.pool import Pool

    die, broken = hooks.get("kill") or {}, hooks.get("break") or {}
    begun = [0]

    def before(conn: Any) -> None:
        count[0] += 1
        conn.connection.info["committed"] = count[0]
        if die.get("when") == "before" and die["at"] == count[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    def after(_: Any, record: Any) -> None:
        # A connection goes back to the pool after its commit.
        number = record.info.pop("committed", 0)
        if die.get("when") == "after" and number and die["at"] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def begin(conn: Any) -> None:
        options = conn.get_execution_options()
        if options.get("sbkube_read_only") or options.get("isolation_level"):
            return
        begun[0] += 1
        if broken and begun[0] >= broken["at"]:
            breakages.BREAKAGES[broken["how"]](conn, begun[0] == broken["at"])

    event.listen(Engine, "commit", before)
    event.listen(Pool, "checkin", after)
    event.listen(Engine, "begin", begin)


def _child(run: Mapping[str, Any]) -> int:
    base = Path(run["base"])
    for stream, suffix in ((1, ".out"), (2, ".err")):
        handle = os.open(base.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, stream)
        os.close(handle)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.environ.clear()
    os.environ.update(run["environ"])
    os.chdir(run["cwd"])
    sys.stdin, sys.stdout, sys.stderr = (open(n, m) for n, m in ((0, "r"), (1, "w"), (2, "w")))  # noqa: SIM115
    count = [0]
    _install(run["hooks"], count)
    from sbkube.cli.main import main

    try:
        code = main(run["words"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    base.with_suffix(".json").write_text(json.dumps({"commits": count[0]}))
    return code


def _fork(run: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        code = _child(run)
    finally:
        os._exit(code)


def _answer(question: Mapping[str, Any]) -> Any:
    if "run" in question:
        return _fork(question["run"])
    _, status = os.waitpid(question["wait"], 0)
    return os.waitstatus_to_exitcode(status)


def _serve() -> None:
    import sbkube.api
    import sbkube.api.project
    import sbkube.cli.main
    import sbkube.config.load
    import sbkube.edges.helm
    import sbkube.edges.helm_sdk
    import sbkube.engine.execute
    import sbkube.engine.prepare
    import sbkube.engine.rollback
    import sbkube.report.machine
    import sbkube.report.plan
    import sbkube.report.run
    import sbkube.state.tracker  # noqa: F401

    for name in ("apply", "rollback", "delete", "recover", "plan"):
        __import__(f"sbkube.cli.commands.{name}")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
