"""`type: action`: steps on objects."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sbkube.apps.action import ActionSpec
from sbkube.apps.steps import Setting, steps_of


def test_steps_are_in_order_and_say_what_becomes_of_their_objects() -> None:
    actions = [{"type": "create", "path": "a.yaml"}, {"type": "delete", "path": "b.yaml", "namespace": "other"}]
    spec = ActionSpec.model_validate({"type": "action", "actions": actions}).located("steps")
    steps = steps_of(spec, Setting("/project", "shop", 60.0))
    assert [(s.mode, s.files[0][0], s.namespace) for s in steps.before] == [
        ("create", "a.yaml", ""),
        ("delete", "b.yaml", "other"),
    ]
    assert not steps.always


@pytest.mark.parametrize("actions", [[], [{"type": "aply", "path": "x"}], [{"type": "apply"}]])
def test_wrong_actions(actions: list[dict[str, str]]) -> None:
    with pytest.raises(ValidationError):
        ActionSpec.model_validate({"type": "action", "actions": actions})
