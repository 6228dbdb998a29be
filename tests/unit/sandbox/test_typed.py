"""Applied configurations that do not fit their schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.schema import type_of
from sbkube.sandbox.typed import printed, problems

CONFIG = ("v1", "ConfigMap")
_KEYLESS = (
    '.spec.ports: element 0: associative list with keys has an element that omits key field "port" '
    "(and doesn't have default value)"
)
SERVICE = ("v1", "Service")


@pytest.mark.parametrize(
    ("what", "body", "text"),
    [
        (CONFIG, {"dota": {"a": "1"}}, ".dota: field not declared in schema"),
        (CONFIG, {"data": {"a": 1}}, ".data.a: expected string, got &value.valueUnstructured{Value:1}"),
        (CONFIG, {"data": "x"}, ".data: expected map, got &{x}"),
        (CONFIG, {"immutable": "x"}, '.immutable: expected boolean, got &value.valueUnstructured{Value:"x"}'),
        (
            CONFIG,
            {"metadata": {"finalizers": ["a/b", "a/b"]}},
            '.metadata.finalizers: duplicate entries for key [="a/b"]',
        ),
        (
            SERVICE,
            {"spec": {"ports": [{"port": 80}, {"port": 80, "protocol": "TCP"}]}},
            '.spec.ports: duplicate entries for key [port=80,protocol="TCP"]',
        ),
        (
            SERVICE,
            {"spec": {"ports": [{"name": "x"}]}},
            _KEYLESS,
        ),
        (
            SERVICE,
            {"spec": {"ports": ["x"]}},
            ".spec.ports: element 0: associative list with keys may not have non-map elements",
        ),
        (SERVICE, {"spec": {"ports": {}}}, ".spec.ports: expected list, got &{map[]}"),
        (
            CONFIG,
            {"a": 1, "b": 2},
            "errors:\n  .a: field not declared in schema\n  .b: field not declared in schema",
        ),
        (CONFIG, {"data": {"a": "b"}, "binaryData": None}, ""),
    ],
)
def test_problems(
    kind: Callable[[str, str], Kind], what: tuple[str, str], body: dict[str, Any], text: str
) -> None:
    assert problems(type_of(kind(*what)), body) == text


def test_values_as_go_prints_them() -> None:
    assert printed({"b": [1, True, None], "a": "x"}) == "map[a:x b:[1 true <nil>]]"
