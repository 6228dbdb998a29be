"""A diff says where it is and leaves out what only the server writes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sbkube.report.diff import path_at, readable, unified
from sbkube.report.ink import Ink

LIVE: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "uid": "u", "resourceVersion": "7", "managedFields": [{}]},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {"containers": [{"name": "side", "image": "a"}, {"name": "web", "image": "nginx:1"}]}
        },
    },
    "status": {"replicas": 2},
}


def test_hunks_are_headed_by_the_path_of_the_change() -> None:
    planned = deepcopy(LIVE)
    planned["spec"]["template"]["spec"]["containers"][1]["image"] = "nginx:2"
    lines = unified(LIVE, planned, Ink())
    assert lines[0] == "@@ spec.template.spec.containers[1].image"
    assert "-         image: nginx:1" in lines and "+         image: nginx:2" in lines


def test_far_changes_are_hunks_of_their_own() -> None:
    planned = deepcopy(LIVE)
    planned["metadata"]["name"] = "w"
    planned["spec"]["template"]["spec"]["containers"][1]["image"] = "nginx:2"
    assert [line for line in unified(LIVE, planned, Ink()) if line.startswith("@@")] == [
        "@@ metadata.name",
        "@@ spec.template.spec.containers[1].image",
    ]


def test_paths() -> None:
    lines = ["a:", "- b:", "    c: 1", "  d: 2", "- e", "f:", "  g: 3"]
    paths = [path_at(lines, at) for at in range(len(lines))]
    assert paths == ["a", "a[0].b", "a[0].b.c", "a[0].d", "a[1]", "f", "f.g"]
    assert path_at(lines, 99) == ""


def test_server_fields_are_left_out() -> None:
    assert readable(LIVE)["metadata"] == {"name": "web"} and "status" not in readable(LIVE)
    moved = deepcopy(LIVE)
    moved["metadata"]["resourceVersion"] = "8"
    assert unified(LIVE, moved, Ink()) == []


def test_created_and_deleted_objects_have_no_heading() -> None:
    assert all(line.startswith("+ ") for line in unified(None, LIVE, Ink()))
    assert all(line.startswith("- ") for line in unified(LIVE, None, Ink()))
