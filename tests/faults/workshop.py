"""A project of commands: hooks, tasks, exec and action apps, phases, files from the web and from git.

Each command writes `begin NAME` and `end NAME` to the file that TRACE names; between the two it kills its own
sbkube where KILL_IN names it. Nothing of it needs Helm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from faults.kills import Scenario
from faults.shop import NAMESPACE
from faults.stage import Case

APPLY = Scenario("apply", "A", ("apply", "-y"))
ROLLBACK = Scenario("rollback", "B", ("rollback", "-y"))
COMMANDS = ("one", "two", "pre", "post", "task", "check", "late")


def command(name: str) -> str:
    """A command that says when it begins and when it ends."""
    die = f'[ "$KILL_IN" != {name} ] || {{ kill -9 $PPID; sleep 5; }}'
    return f'echo begin {name} >> "$TRACE"; {die}; echo end {name} >> "$TRACE"'


def configmap(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def writer(url: str, repository: str) -> Any:
    """Writes the project; `url` is where its file is served, `repository` a git repository with `far.yaml`."""

    def write(folder: Path, state: str, without: Collection[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("page", "own", "patch"):
            body = configmap("settings" if name == "patch" else name, **{f"{name}-state": state})
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(body))
        (folder / "settings.yaml").write_text(yaml.safe_dump(configmap("settings", state=state)))
        (folder / "gone.yaml").write_text(yaml.safe_dump(configmap("dropped")))
        first = {
            "settings": {"type": "yaml", "manifests": ["settings.yaml"]},
            "code": {"type": "git", "repo": repository},
            "far": {"type": "yaml", "manifests": ["${repos.code}/far.yaml"], "depends_on": ["code"]},
            "file": {"type": "http", "url": url, "dest": "got/file.json"},
            "from-web": {"type": "yaml", "manifests": ["got/file.json"], "depends_on": ["file"]},
        }
        steps = [{"type": "apply", "path": "own.yaml"}, {"type": "create", "path": "page.yaml"}]
        if state != "A":
            steps.append({"type": "delete", "path": "gone.yaml"})
        second = {
            "job": {"type": "exec", "commands": [command("one"), command("two")]},
            "steps": {"type": "action", "actions": steps, "depends_on": ["job"]},
            "web": {
                "type": "yaml",
                "manifests": ["web.yaml"],
                "depends_on": ["steps"],
                "hooks": {"pre_deploy": [command("pre")], "post_deploy": [command("post")]},
            },
            "checks": {"type": "hook", "depends_on": ["web"], "tasks": _tasks(state)},
            "late": {"type": "exec", "commands": [command("late")], "depends_on": ["checks"]},
        }
        (folder / "web.yaml").write_text(yaml.safe_dump(configmap("web", state=state)))
        document = {
            "apiVersion": "sbkube/v1",
            "metadata": {"name": NAMESPACE},
            "settings": {"namespace": NAMESPACE, "timeout": 20},
            "phases": {"first": {"apps": first}, "second": {"depends_on": ["first"], "apps": second}},
        }
        (folder / "sbkube.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    return write


def _tasks(state: str) -> list[dict[str, Any]]:
    return [
        {"type": "inline", "name": "note", "content": configmap("note", state=state)},
        {"type": "command", "name": "task", "command": command("task")},
        {"type": "validate", "name": "check", "command": f"{command('check')}; echo fine", "expected": "fine"},
        {"type": "wait", "name": "seen", "resource": "configmap/note", "condition": "exists"},
    ]


def traced(case: Case) -> Path:
    """The file that the commands of a case write to."""
    path = case.folder / "trace"
    path.touch()
    case.extra = {"TRACE": str(path)}
    return path


def lines(path: Path) -> Counter[str]:
    """How often each line stands there."""
    return Counter(path.read_text().splitlines())
