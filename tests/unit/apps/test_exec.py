"""`type: exec`: its commands, and what is recorded of them."""

from __future__ import annotations

from sbkube.apps.exec import ExecSpec
from sbkube.apps.steps import Setting, steps_of
from sbkube.models.command import Command, CommandKind, OnFailure

HERE = Setting("/project", "shop", 60.0)


def spec(**fields: object) -> ExecSpec:
    return ExecSpec.model_validate({"type": "exec", **fields}).located("infra/job")


def test_commands_run_in_order_each_time() -> None:
    steps = steps_of(spec(commands=["a", "b"], env={"X": "1"}), HERE)
    commands = list(steps.commands())
    assert [(c.name, c.text) for c in commands] == [("infra.job.1", "a"), ("infra.job.2", "b")]
    assert steps.always and not steps.after
    first = commands[0]
    assert (first.kind, first.on_failure, first.timeout) == (CommandKind.SHELL, OnFailure.FAIL, 60.0)
    assert first.env["X"] == "1" and first.env["SBKUBE_APP_NAME"] == "job"


def test_one_command_may_be_text() -> None:
    assert spec(commands="a").commands == ("a",)


def test_the_environment_is_not_recorded() -> None:
    assert "planted" not in str(spec(commands=["a"], env={"TOKEN": "planted"}).snapshot())


def test_a_command_survives_the_way_through_a_plan_and_has_a_name_of_its_own() -> None:
    (one,) = steps_of(spec(commands=["a"]), HERE).commands()
    assert Command.from_json(one.to_json()) == one
    (elsewhere,) = steps_of(spec(commands=["a"]), Setting("/other", "shop", 60.0)).commands()
    (other,) = steps_of(spec(commands=["b"]), HERE).commands()
    assert one.digest == elsewhere.digest != other.digest
