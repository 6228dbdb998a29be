"""Verbs: each that writes can be done, and settled when it was cut off."""

from __future__ import annotations

import pytest

from sbkube.engine.actions import ACTIONS
from sbkube.engine.recover import RULES
from sbkube.engine.settling import HELM_RULES
from sbkube.models.plan import BESIDE, GIVEN_BACK, HELM, Verb


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb.writes])
def test_a_verb_that_writes_has_an_action_and_a_rule_for_when_it_was_cut_off(verb: Verb) -> None:
    assert verb in ACTIONS
    assert (verb in HELM_RULES) is verb.helm
    assert (verb in RULES) is not verb.helm


def test_what_is_beside_is_a_verb_or_helms() -> None:
    assert BESIDE - {verb.value for verb in Verb} == {HELM, GIVEN_BACK}
    assert not any(Verb(name).takes_away for name in BESIDE - {HELM, GIVEN_BACK})
