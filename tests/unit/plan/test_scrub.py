"""Known secret values are taken out of other people's words."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from sbkube.models.health import Culprit
from sbkube.models.outcome import Event, OpState, Outcome
from sbkube.plan.redact import LAST_APPLIED
from sbkube.plan.scrub import Scrubber, named_values, secret_values

BODY = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s"},
    "data": {"a": base64.b64encode(b"planted-one").decode(), "b": "/w=="},
    "stringData": {"c": "planted-two", "d": "abc"},
}


def test_values_of_a_secret_in_both_forms():
    found = set(secret_values(BODY))
    assert {"planted-one", BODY["data"]["a"], "planted-two", base64.b64encode(b"planted-two").decode()} <= found
    annotated = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"annotations": {LAST_APPLIED: json.dumps(BODY)}},
    }
    assert "planted-one" in set(secret_values(annotated))
    assert list(secret_values({**BODY, "kind": "ConfigMap"})) == list(secret_values(None)) == []


def test_what_globs_name():
    body = {"spec": {"token": "t-1", "list": [{"password": "p-1"}, {"other": True}], "deep": {"token": {"x": 7}}}}
    assert list(named_values(body, ["spec.token", "**.password", "spec.deep.token"])) == ["t-1", "p-1", "7"]


def test_words_are_clean_and_short_values_stay():
    scrubber = Scrubber([*secret_values(BODY), "planted-two-and-more"])
    assert scrubber.text("planted-two-and-more, planted-two, abc") == "(masked), (masked), abc"
    now = datetime.now(UTC)
    culprit = Culprit("Pod/x", "Error", "saw planted-one", ("planted-one",), ("log planted-two",))
    clean = scrubber.outcome(Outcome("o", OpState.FAILED, now, now, message="bad planted-one", culprit=culprit))
    assert "planted" not in f"{clean.message}{clean.culprit}"
    event = scrubber.event(
        Event("wait.progress", now, message="planted-one", data={"detail": "planted-two", "n": 1})
    )
    assert "planted" not in f"{event}" and event.data["n"] == 1
    assert Scrubber([]).text("anything") == "anything"


def test_lines_of_a_key_are_known_one_at_a_time():
    scrubber = Scrubber(["-----BEGIN KEY-----\nplanted-line-one\nplanted-line-two\nab=\n"])
    assert scrubber.text("say: planted-line-two\nab=") == "say: (masked)\nab="
