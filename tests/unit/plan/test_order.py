"""Order of apps and objects."""

from __future__ import annotations

import pytest

from sbkube.errors import ConfigError
from sbkube.plan import order


def test_apps_come_after_what_they_depend_on_and_ties_stay_in_file_order() -> None:
    apps = {"web": ["db", "cache"], "cache": [], "db": [], "docs": []}
    assert order.app_order(apps) == ["cache", "db", "web", "docs"]


def test_a_cycle_is_printed() -> None:
    with pytest.raises(ConfigError, match="circle") as caught:
        order.app_order({"a": ["b"], "b": ["c"], "c": ["a"]})
    assert all(name in caught.value.message for name in ("a", "b", "c"))
    assert "→" in caught.value.message


def test_unselected_dependencies_do_not_matter() -> None:
    assert order.app_order({"web": ["db"]}) == ["web"]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("Namespace", "ConfigMap"),
        ("CustomResourceDefinition", "Certificate"),
        ("ServiceAccount", "Deployment"),
        ("Secret", "StatefulSet"),
        ("Deployment", "Ingress"),
    ],
)
def test_waves(earlier: str, later: str) -> None:
    assert order.wave(earlier) < order.wave(later)
