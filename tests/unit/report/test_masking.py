"""The last guard: values of Secrets never get through, whether they were masked before or not."""

from __future__ import annotations

from sbkube.models.plan import FieldChange
from sbkube.models.resource import ResourceKey
from sbkube.report.masking import masked_field, masked_pair

SECRET = ResourceKey("", "v1", "Secret", "ns", "s")
MAP = ResourceKey("", "v1", "ConfigMap", "ns", "s")
NOTE = "kubectl.kubernetes.io/last-applied-configuration"


def test_values_are_hidden_and_changes_still_show() -> None:
    before = {"data": {"a": "x", "b": "same"}, "metadata": {"annotations": {NOTE: "x"}}}
    after = {"data": {"a": "y", "b": "same", "c": "new"}, "stringData": {"d": "z"}}
    old, new = masked_pair(SECRET, before, after)
    assert old is not None and old["data"] == {"a": "(masked)", "b": "(masked)"}
    assert old["metadata"]["annotations"][NOTE] == "(masked)"
    assert new is not None and new["data"] == {"a": "(masked, changed)", "b": "(masked)", "c": "(masked)"}
    assert new["stringData"] == {"d": "(masked)"}


def test_what_is_masked_already_stays() -> None:
    old, new = masked_pair(SECRET, {"data": {"a": "(masked 0a1b2c3d)"}}, {"data": {"a": "(masked ffffffff)"}})
    assert old == {"data": {"a": "(masked 0a1b2c3d)"}} and new == {"data": {"a": "(masked ffffffff)"}}


def test_odd_secrets_are_hidden_whole() -> None:
    assert masked_pair(SECRET, {"data": "clear"}, None) == ({"data": "(masked)"}, None)


def test_other_kinds_are_untouched() -> None:
    assert masked_pair(MAP, {"data": {"a": "x"}}, None) == ({"data": {"a": "x"}}, None)


def test_fields() -> None:
    hidden = masked_field(SECRET, FieldChange("data[tls.key]", None, "clear"))
    assert (hidden.before, hidden.after) == (None, "(masked)") or hidden.after == "(masked, changed)"
    assert masked_field(SECRET, FieldChange("metadata.labels.a", 1, 2)).after == 2
    assert masked_field(SECRET, FieldChange(f"metadata.annotations[{NOTE}]", "x", "y")).after != "y"


def test_the_copy_that_kubectl_keeps_repeats_what_a_glob_names() -> None:
    body = {"metadata": {"annotations": {NOTE: "clear", "a": "b"}}, "data": {"token": "clear"}}
    shown = masked_pair(MAP, body, None, ["data.token"])[0]
    assert shown == {"metadata": {"annotations": {NOTE: "(masked)", "a": "b"}}, "data": {"token": "(masked)"}}
    assert masked_field(MAP, FieldChange(f"metadata.annotations[{NOTE}]", "clear", None)).before == "(masked)"
    whole = masked_field(MAP, FieldChange("metadata.annotations", {NOTE: "clear"}, None))
    assert whole.before == {NOTE: "(masked)"}


def test_a_whole_map_of_annotations_is_masked_in_the_one_place() -> None:
    hidden = masked_field(SECRET, FieldChange("metadata.annotations", {NOTE: "clear", "a": "b"}, None))
    assert hidden.before[NOTE] != "clear" and hidden.before["a"] == "b"


def test_what_a_project_calls_sensitive_is_hidden_too():
    from sbkube.plan.sensitive import sensitive_paths
    from sbkube.report.masking import masked_pair

    globs = sensitive_paths(
        {"settings": {"sensitive": ["data.a"]}, "apps": {"x": {"sensitive": ["**.token"]}, "y": {}}}
    )
    key = ResourceKey("", "v1", "ConfigMap", "n", "c")
    old = {"data": {"a": "1", "b": "2", "list": [{"token": "t"}]}}
    new = {"data": {"a": "9", "b": "3", "list": [{"token": "t"}]}}
    before, after = masked_pair(key, old, new, globs)
    assert before == {"data": {"a": "(masked)", "b": "2", "list": [{"token": "(masked)"}]}}
    assert after == {"data": {"a": "(masked, changed)", "b": "3", "list": [{"token": "(masked)"}]}}
    assert masked_pair(key, None, new)[1] == new
