"""Secrets do not get out of a plan."""

from __future__ import annotations

import pytest

from sbkube.models.plan import AppPlan, Change, Effect, FieldChange, Operation, Plan, Verb
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.plan.redact import Redactor

PLANTED = "hunter2-planted"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "s",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": f'{{"data": "{PLANTED}"}}'},
    },
    "stringData": {"password": PLANTED},
}


def _plan() -> Plan:
    key = ResourceKey("", "v1", "Secret", "x", "s")
    change = Change(key, Effect.CHANGE, None, SECRET, (FieldChange("stringData.password", None, PLANTED),))
    spec = ReleaseSpec("r", "x", "./chart", {"password": PLANTED})
    operations = (
        Operation("a/apply/Secret/x/s", "a", Verb.APPLY, key, SECRET, (change,), sensitive=True),
        Operation("a/helm", "a", Verb.HELM_INSTALL, release=spec),
    )
    app = AppPlan("a", "yaml", "x", changes=(change,), operations=operations)
    return Plan("p", "x", "apply", "c", "uid", (app,))


def test_no_secret_value_is_left_in_a_masked_plan() -> None:
    masked = Redactor(b"key").plan(_plan())
    app = masked.apps[0]
    shown = [
        app.changes[0].after,
        app.changes[0].fields,
        app.operations[0].desired,
        app.operations[1].release.values,
    ]
    assert PLANTED not in repr(shown)


def test_equal_values_look_equal_and_different_ones_different() -> None:
    redactor = Redactor(b"key")
    assert redactor.mask("a") == redactor.mask("a") != redactor.mask("b")
    assert Redactor(b"other").mask("a") != redactor.mask("a")


def test_sensitive_paths_are_masked_anywhere() -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"token": PLANTED, "colour": "blue"}}
    clean = Redactor(b"key", ["data.token"]).body(body)
    assert clean is not None and PLANTED not in repr(clean) and clean["data"]["colour"] == "blue"


def test_what_lies_in_a_map_that_came_or_went_is_masked_too() -> None:
    redactor = Redactor(b"k", ["**.token"])
    note = {"kubectl.kubernetes.io/last-applied-configuration": PLANTED}
    shown = redactor.field(FieldChange("metadata.annotations", note, None), secret=True)
    assert PLANTED not in str(shown.before)
    shown = redactor.field(FieldChange("spec", None, {"auth": {"token": PLANTED}, "size": 1}), secret=False)
    assert PLANTED not in str(shown.after) and shown.after["size"] == 1


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("metadata.annotations.example.com/token", "metadata.annotations['example.com/token']"),
        ("spec.containers.*.env.0.value", "spec.containers[name=c].env[name=P].value"),
        ("spec.containers.12.env", "spec.containers[name=c].env[name=P].value"),
        ("**.value", "spec.containers[name=c].env[name=P].value"),
        ("spec", "spec.ports[port=80,protocol=TCP].x"),
    ],
)
def test_what_is_sensitive_is_hidden_in_every_notation_of_its_path(glob: str, path: str) -> None:
    shown = Redactor(b"k", [glob]).field(FieldChange(path, PLANTED, f"{PLANTED}-2"), secret=False)
    assert PLANTED not in str(shown.before) and PLANTED not in str(shown.after)
    assert Redactor(b"k", [glob]).field(FieldChange("metadata.labels.x", "1", "2"), secret=False).after == "2"


def test_what_lies_below_a_changed_list_is_hidden_too() -> None:
    value = [{"x": PLANTED}, {"y": "shown"}]
    shown = Redactor(b"k", ["spec.items.0.list.0.x"]).field(
        FieldChange("spec.items[name=a].list", None, value), secret=False
    )
    assert PLANTED not in str(shown.after) and "shown" in str(shown.after)
