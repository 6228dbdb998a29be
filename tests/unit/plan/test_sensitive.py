"""Paths that are sensitive, named and learned."""

from __future__ import annotations

from sbkube.plan.redact import matches
from sbkube.plan.scrub import named_values
from sbkube.plan.sensitive import SensitivePaths, sensitive_paths

PAGE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "planted", "annotations": {"a.b/c": "planted"}},
    "data": {"url": "postgres://u:planted@db", "odd[*]": "planted", "plain": "plant"},
    "list": [{"port": 8080}, {"port": 80}],
}


def test_paths_are_learned_where_known_values_stand() -> None:
    paths = SensitivePaths(["spec.password"])
    paths.learn([PAGE], {"planted", " 8080\n", "80"})
    assert tuple(paths) == (
        "spec.password",
        "metadata.annotations.a.b/c",
        "data.url",
        "data.odd[[][*]]",
        "list.0.port",
    )
    assert set(named_values(PAGE, paths)) == {"planted", "postgres://u:planted@db", "8080"}
    assert matches("data.odd[*]", paths[3]) and not matches("data.oddx", paths[3])


def test_nothing_is_learned_of_secrets_or_without_values() -> None:
    paths = SensitivePaths()
    paths.learn([PAGE], {"abc", ""})
    paths.learn([{**PAGE, "kind": "Secret"}], {"planted"})
    assert not paths and list(paths) == []


def test_what_is_named_twice_stands_once() -> None:
    paths = SensitivePaths(["a", "a"])
    paths.add(["b", "a"])
    assert paths[:] == ("a", "b")


def test_a_record_remembers_what_the_project_and_its_apps_named() -> None:
    snapshot = {"settings": {"sensitive": ["a"]}, "apps": {"web": {"sensitive": ["b"]}, "odd": None}}
    assert sensitive_paths(snapshot) == ("a", "b")
    assert sensitive_paths({}) == ()
