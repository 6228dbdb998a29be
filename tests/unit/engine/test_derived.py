"""Dependencies that nobody wrote down."""

from __future__ import annotations

import pytest

from sbkube.apps import APP_TYPES
from sbkube.apps.base import Rendered
from sbkube.engine.derived import in_order
from sbkube.engine.desired import Desired, DesiredApp
from sbkube.errors import ConfigError
from sbkube.models.resource import ResourceKey

CRD = ResourceKey("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "", "widgets.example.com")
CRD_BODY = {"spec": {"group": "example.com", "names": {"kind": "Widget"}}}
WIDGET = ResourceKey("example.com", "v1", "Widget", "shop", "w")
PLACE = ResourceKey("", "v1", "Namespace", "", "shop")


def _app(name: str, *objects: Desired, depends_on: tuple[str, ...] = ()) -> DesiredApp:
    spec = APP_TYPES["noop"].spec(type="noop", depends_on=depends_on).located(name)
    return DesiredApp(spec, Rendered(), objects)


def _widget(simulated: str = "new") -> Desired:
    return Desired(WIDGET, {}, "a", simulated=simulated)


def test_who_brings_a_kind_comes_first() -> None:
    apps, needs = in_order([_app("a", _widget()), _app("b", Desired(CRD, CRD_BODY, "b"))], ())
    assert [app.spec.name for app in apps] == ["b", "a"]
    assert needs == {"a": ("b",), "b": ()}


def test_a_kind_that_is_served_already_needs_nobody() -> None:
    apps, needs = in_order([_app("a", _widget("")), _app("b", Desired(CRD, CRD_BODY, "b"))], ())
    assert [app.spec.name for app in apps] == ["a", "b"] and not any(needs.values())


def test_who_brings_a_namespace_comes_first_if_it_is_new() -> None:
    both = [_app("a", _widget("")), _app("b", Desired(PLACE, {}, "b"))]
    assert [app.spec.name for app in in_order(both, {"shop"})[0]] == ["b", "a"]
    assert [app.spec.name for app in in_order(both, ())[0]] == ["a", "b"]


def test_a_circle_names_who_uses_what() -> None:
    apps = [_app("a", _widget()), _app("b", Desired(CRD, CRD_BODY, "b"), depends_on=("a",))]
    with pytest.raises(ConfigError, match="circle") as caught:
        in_order(apps, ())
    assert "a uses what b brings" in str(caught.value.hint)
