"""What the schema of a CRD does to objects."""

from __future__ import annotations

from typing import Any

from sbkube.sandbox import crds
from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]
KIND = Kind("example.com", "v1", "Widget", "widgets", "widget", custom=True)
SPEC: Json = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "maximum": 10},
        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def _judge(spec: Any) -> tuple[Json, list[str], list[str]]:
    crds.remember(KIND, {"type": "object", "properties": {"spec": SPEC}})
    unknown: list[str] = []
    obj = crds.pruned(KIND, {"metadata": {"name": "w"}, "spec": spec}, unknown)
    crds.apply_defaults(KIND, obj)
    return obj, unknown, [str(c) for c in crds.validate_custom(KIND, obj, None)]


def test_unknown_fields_go_and_defaults_come() -> None:
    obj, unknown, causes = _judge({"size": 1, "zzz": 1, "free": {"x": {"y": 1}}, "color": None})
    assert obj["spec"] == {"size": 1, "color": "red", "free": {"x": {"y": 1}}}
    assert (unknown, causes) == (["spec.zzz"], [])


def test_violations_are_told_in_the_servers_words() -> None:
    _, _, causes = _judge({"size": 11, "color": "green", "tags": ["x", "x"]})
    assert causes == [
        'spec.color: Unsupported value: "green": supported values: "red", "blue"',
        "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10",
        'spec.tags[1]: Duplicate value: "x"',
    ]
    assert _judge({})[2] == ["spec.size: Required value"]
    assert _judge({"size": "x"})[2] == [
        'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'
    ]
