"""Who comes after whom where nothing depends on anything."""

from __future__ import annotations

from sbkube.plan.order import Lane, turns


def test_one_after_the_other() -> None:
    assert turns(["a", "b", "c"], {"": Lane()}) == {"a": (), "b": ("a",), "c": ("b",)}


def test_apps_of_a_phase_come_after_all_of_the_phase_before() -> None:
    lanes = {"": Lane(one_at_a_time=False), "x": Lane(one_at_a_time=False), "y": Lane()}
    found = turns(["a", "b", "x/a", "x/b", "y/a", "y/b"], lanes)
    assert found["a"] == found["b"] == ()
    assert found["x/a"] == found["x/b"] == ("a", "b")
    assert found["y/a"] == ("x/a", "x/b") and found["y/b"] == ("y/a",)


def test_phases_at_the_same_time_and_before_the_apps() -> None:
    lanes = {"": Lane(phases_in_turn=False, apps_first=False), "x": Lane(), "y": Lane(), "y/z": Lane()}
    found = turns(["x/a", "y/a", "y/z/a", "own"], lanes)
    assert found == {"x/a": (), "y/a": (), "y/z/a": ("y/a",), "own": ("x/a", "y/z/a")}


def test_one_of_a_later_place_is_looked_through() -> None:
    """A derived dependency may put an app of a phase before one that would have its turn first."""
    assert turns(["a", "x/a", "b"], {"": Lane(), "x": Lane()}) == {"a": (), "x/a": ("a",), "b": ("a",)}


def test_an_app_whose_phase_is_gone_belongs_to_what_is_around_it() -> None:
    assert turns(["a", "gone/b"], {"": Lane()}) == {"a": (), "gone/b": ("a",)}
