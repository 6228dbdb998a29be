"""`--set` syntax, as Helm's own parser reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sbkube.apps.set_values import SetSyntaxError, put, set_into

TABLE: list[tuple[str, Any]] = [
    ("a=1", {"a": 1}),
    ("a=b,c=d", {"a": "b", "c": "d"}),
    ("a.b.c=x", {"a": {"b": {"c": "x"}}}),
    ("a=", {"a": ""}),
    ("a=,b=1", {"a": "", "b": 1}),
    ("a=tRue,b=FALSE,c=Null", {"a": True, "b": False, "c": None}),
    ("a=007,b=0,c=-5,d=+5,e=1.5,f=1e3", {"a": "007", "b": 0, "c": -5, "d": 5, "e": "1.5", "f": "1e3"}),
    ("a=99999999999999999999", {"a": "99999999999999999999"}),
    ("a\\.b=1", {"a.b": 1}),
    ("a=x\\,y", {"a": "x,y"}),
    ("a={x,1,true}", {"a": ["x", 1, True]}),
    ("a={x,y},b=1", {"a": ["x", "y"], "b": 1}),
    ("a={x}b=1", {"a": ["x"], "b": 1}),
    ("a={}", {"a": [""]}),
    ("a={x\\},y}", {"a": ["x}", "y"]}),
    ("a[0]=x", {"a": ["x"]}),
    ("a[1]=x", {"a": [None, "x"]}),
    ("a[0].b=1,a[0].c=2", {"a": [{"b": 1, "c": 2}]}),
    ("a[0][1]=2", {"a": [[None, 2]]}),
    ("a[2].b=1,a[0].c=2", {"a": [{"c": 2}, None, {"b": 1}]}),
    ("a.b[0]=1,a.b[1]=2", {"a": {"b": [1, 2]}}),
    ("a={1,2},a[1]=5", {"a": [1, 5]}),
    ("a=b=c", {"a": "b=c"}),
    ("a= b", {"a": " b"}),
    ("a=b,", {"a": "b"}),
    ("a=1,a=2", {"a": 2}),
    ("", {}),
]
WRONG = ["a", "a.b", "a,b=1", "a[0]x=1", "a[-1]=1", "a[x]=1", "a[70000]=1", "a..b=1", "a={x", "a={x}y",
         "a=1,a.b=2", "a=1,a[0]=2", "a=b,,c=d", ","]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), TABLE)
def test_expression(expression: str, expected: Any) -> None:
    values: dict[str, Any] = {}
    set_into(values, expression)
    assert values == expected


@pytest.mark.parametrize(("expression", "expected"), TABLE)
def test_helm_agrees_with_the_table(expression: str, expected: Any) -> None:
    assert helm_reads(expression) == expected


@pytest.mark.parametrize("expression", WRONG)
def test_what_helm_refuses_is_refused(expression: str) -> None:
    with pytest.raises(SetSyntaxError):
        set_into({}, expression)
    helm = pytest.importorskip("helm_python")
    with pytest.raises(helm.HelmError):
        helm_reads(expression)


@pytest.mark.parametrize("expression", ["a[0]", "a[", "[0"])
def test_unfinished_text_is_refused_though_helm_ignores_it(expression: str) -> None:
    with pytest.raises(SetSyntaxError):
        set_into({}, expression)


def helm_reads(expression: str) -> Any:
    helm = pytest.importorskip("helm_python")
    return json.loads(helm._native.call_string("helm_strvals_parse", expression))


def test_nesting_is_bounded() -> None:
    with pytest.raises(SetSyntaxError, match="nested level"):
        set_into({}, ".".join("a" * 40) + "=1")


def test_present_values_are_changed_in_place() -> None:
    values: dict[str, Any] = {"list": [{"name": "a", "port": 1}], "keep": 1}
    set_into(values, "list[0].port=2,list[1].name=b")
    assert values == {"list": [{"name": "a", "port": 2}, {"name": "b"}], "keep": 1}


def test_put_keeps_the_type_and_takes_nothing_apart() -> None:
    values: dict[str, Any] = {}
    put(values, "a.b[0]", "1,x=2")
    put(values, "c\\.d", {"e": None})
    assert values == {"a": {"b": ["1,x=2"]}, "c.d": {"e": None}}
