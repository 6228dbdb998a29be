"""`type: hook` and the tasks that it is made of."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sbkube.apps.hook import HookSpec
from sbkube.apps.steps import Setting, steps_of
from sbkube.models.command import CommandKind, OnFailure

HERE = Setting("/project", "shop", 60.0)


def spec(*tasks: dict[str, object], **fields: object) -> HookSpec:
    return HookSpec.model_validate({"type": "hook", "tasks": list(tasks), **fields}).located("setup")


def shell(name: str, *first: str) -> dict[str, object]:
    return {"type": "shell", "name": name, "command": "x", "dependency": {"depends_on": list(first)}}


def test_tasks_come_after_those_that_they_depend_on_and_otherwise_as_written() -> None:
    steps = steps_of(spec(shell("a", "c"), shell("b"), shell("c")), HERE)
    assert [step.name for step in steps.before] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ([shell("a", "b"), shell("b", "a")], "a → b → a"),
        ([shell("a", "z")], 'no task "z"'),
        ([shell("a"), shell("a")], "twice"),
    ],
)
def test_tasks_that_cannot_be_put_in_order(tasks: list[dict[str, object]], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec(*tasks)


def test_an_app_that_does_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="does nothing"):
        spec()


def test_what_each_task_becomes() -> None:
    steps = steps_of(
        spec(
            {"type": "validate", "name": "v", "command": "x", "expected": "ok", "retry": 3, "retry_delay": "2s"},
            {"type": "http", "name": "h", "url": "http://x/", "expected_status": [200, 204]},
            {"type": "wait", "name": "w", "resource": "pod/x", "condition": "Ready", "timeout": 5},
            {"type": "command", "name": "c", "command": "x", "on_failure": "warn"},
        ),
        HERE,
    )
    found = {c.name.removeprefix("setup."): c for c in steps.commands()}
    assert (found["v"].attempts, found["v"].delay, found["v"].expected) == (3, 2.0, ("ok",))
    assert (found["h"].kind, found["h"].expected) == (CommandKind.HTTP, ("200", "204"))
    assert (found["w"].kind, found["w"].condition, found["w"].timeout) == (CommandKind.WAIT, "Ready", 5.0)
    assert found["c"].on_failure is OnFailure.WARN


def test_the_rollback_of_a_task_goes_along_with_it() -> None:
    undo = {"commands": ["undo"], "on_failure": "always"}
    off = {"commands": ["undo"], "enabled": False}
    steps = steps_of(spec({**shell("a"), "rollback": undo}, {**shell("b"), "rollback": off}), HERE)
    a, b = steps.commands()
    assert (a.undo, a.undo_when) == (("undo",), "always")
    assert b.undo == ()


def test_what_must_be_there_before_and_after_a_task() -> None:
    task = {
        **shell("a"),
        "dependency": {"wait_for": [{"kind": "Pod", "label_selector": "app=x"}]},
        "validation": {"kind": "Job", "name": "j", "conditions": [{"type": "Complete"}]},
    }
    steps = steps_of(spec(task), HERE)
    first, _, last = steps.commands()
    assert (first.text, first.selector) == ("Pod/", "app=x")
    assert (last.text, last.condition) == ("Job/j", "Complete=True")


def test_steps_of_one_name_can_be_told_apart() -> None:
    hooks = {"pre_deploy_tasks": [shell("a")], "post_deploy_tasks": [shell("a")]}
    steps = steps_of(spec(shell("a"), hooks=hooks), HERE)
    assert [c.name for c in steps.commands()] == ["setup.a", "setup.a.2", "setup.a.3"]
    assert len({step.name for step in (*steps.before, *steps.after)}) == 3
