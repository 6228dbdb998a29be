"""Objects out of documents."""

from __future__ import annotations

from sbkube.apps.objects import cleaned, objects
from sbkube.errors import Problem
from sbkube.models.resource import Manifest
from sbkube.sources.yaml_reader import read_documents


def parse(text: str, *, cleanup: bool = True) -> tuple[list[Manifest], list[Problem]]:
    problems: list[Problem] = []
    return [m for d in read_documents(text, "f.yaml") for m in objects(d, problems, cleanup=cleanup)], problems


def test_lists_are_taken_apart_and_every_item_has_its_line() -> None:
    found, problems = parse(
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"
        "- {apiVersion: v1, kind: PodList, items: [{apiVersion: v1, kind: Pod, metadata: {name: b}}]}\n"
    )
    assert not problems
    assert [(m.key.name, m.source and m.source.line) for m in found] == [("a", 4), ("b", 5)]


def test_an_empty_list_is_nothing() -> None:
    assert parse("{apiVersion: v1, kind: List, items: []}") == ([], [])
    assert parse("{apiVersion: v1, kind: List}") == ([], [])


def test_all_misfits_are_told_with_their_places() -> None:
    found, problems = parse(
        "kind: ConfigMap\nmetadata: {name: 12, namespace: no, labels: {a: 1, b: yes}, annotations: []}\n"
        "---\n- a\n---\ntext\n---\n{apiVersion: v1, kind: Job, metadata: {generateName: x-}}\n"
        "---\n{apiVersion: 1, kind: K}\n"
    )
    assert not found
    assert [str(p).split(" (")[0] for p in problems] == [
        'f.yaml:1:1: has no "apiVersion"',
        'f.yaml:2:18: "metadata.name" must be text',
        'f.yaml:2:33: "metadata.namespace" must be text',
        'f.yaml:2:49: "metadata.labels.a" must be text, not 1',
        'f.yaml:2:55: "metadata.labels.b" must be text, not true',
        'f.yaml:2:74: "metadata.annotations" must be a map',
        "f.yaml:4:1: is a list, not a Kubernetes object",
        'f.yaml:6:1: is "text", not a Kubernetes object',
        'f.yaml:8:54: has "generateName" instead of a name',
        'f.yaml:10:14: "apiVersion" must be text',
        'f.yaml:10:1: has no "metadata"',
    ]


def test_what_only_a_server_writes_is_dropped_unless_told_otherwise() -> None:
    meta = "{name: a, uid: u, resourceVersion: '1', labels: {x: z}}"
    text = f"{{apiVersion: v1, kind: Pod, metadata: {meta}, status: {{}}}}"
    (clean,), _ = parse(text)
    assert clean.body == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"x": "z"}}}
    (kept,), _ = parse(text, cleanup=False)
    assert kept.body["status"] == {} and kept.body["metadata"]["uid"] == "u"
    assert cleaned(kept.body) == clean.body
