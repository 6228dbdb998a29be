"""Options that do not go together, or that nobody knows, are refused as the API server refuses them."""

from __future__ import annotations

import pytest

from sbkube.sandbox import options
from sbkube.sandbox.status import StatusError


def causes(error: StatusError) -> list[tuple[str, str]]:
    assert error.details is not None
    return [(c["field"], c["message"]) for c in error.details["causes"]]


@pytest.mark.parametrize(
    ("verb", "query", "applies", "field", "message"),
    [
        ("create", {"dryRun": "yes"}, False, "dryRun", 'Unsupported value: ["yes"]: supported values: "All"'),
        (
            "update",
            {"fieldValidation": "Maybe"},
            False,
            "fieldValidation",
            'Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"',
        ),
        ("patch", {"force": "true"}, False, "force", "Forbidden: may not be specified for non-apply patch"),
        ("patch", {}, True, "fieldManager", "Required value: is required for apply patch"),
        ("patch", {"fieldManager": "x" * 129}, True, "fieldManager", "Too long: may not be more than 128 bytes"),
        (
            "create",
            {"fieldManager": "a\tb"},
            False,
            "fieldManager",
            'Invalid value: "a\\tb": invalid character U+0009 (at position 1)',
        ),
    ],
)
def test_unknown_write_options(verb: str, query: dict[str, str], applies: bool, field: str, message: str) -> None:
    with pytest.raises(StatusError) as caught:
        options.writing(verb, query, "agent/1", applies)
    assert caught.value.code == 422
    assert causes(caught.value) == [(field, message)]
    assert caught.value.message.startswith(f'{verb.capitalize()}Options.meta.k8s.io "" is invalid: {field}: ')


def test_the_manager_is_the_user_agent_when_none_is_named() -> None:
    assert options.writing("create", {}, "kubectl/1.36 (linux)").manager == "kubectl"
    assert options.writing("create", {"fieldManager": "me"}, "kubectl/1.36").manager == "me"
    assert options.writing("create", {}, "").manager == "unknown"


@pytest.mark.parametrize(
    ("query", "watching", "fields"),
    [
        ({"sendInitialEvents": "true"}, True, ["resourceVersionMatch"]),
        ({"resourceVersionMatch": "NotOlderThan"}, True, ["resourceVersionMatch"]),
        ({"sendInitialEvents": "true", "resourceVersionMatch": "Exact"}, True, ["resourceVersionMatch"] * 2),
        ({"resourceVersionMatch": "Exact"}, False, ["resourceVersionMatch"]),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, False, ["resourceVersionMatch"]),
        ({"resourceVersionMatch": "x", "resourceVersion": "5"}, False, ["resourceVersionMatch"]),
        ({"sendInitialEvents": "true"}, False, ["sendInitialEvents"]),
    ],
)
def test_list_options_that_do_not_go_together(query: dict[str, str], watching: bool, fields: list[str]) -> None:
    with pytest.raises(StatusError) as caught:
        options.check_listing(query, watching)
    assert [f for f, _ in causes(caught.value)] == fields


def test_list_options_that_go_together() -> None:
    options.check_listing({"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}, True)
    options.check_listing({"resourceVersion": "5", "resourceVersionMatch": "Exact"}, False)
    options.check_listing({}, True)


def test_delete_options() -> None:
    how = options.deleting({"propagationPolicy": "Orphan", "gracePeriodSeconds": 3, "dryRun": ["All"]}, {})
    assert (how.propagation, how.grace, how.dry_run) == ("Orphan", 3, True)
    assert options.deleting({"orphanDependents": True}, {}).propagation == "Orphan"
    assert options.deleting({}, {"propagationPolicy": "Foreground"}).propagation == "Foreground"


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ({"propagationPolicy": "Sideways"}, 422, 'Unsupported value: "Sideways"'),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, 422, "cannot be both set"),
        ({"kind": "Nonsense", "apiVersion": "v1"}, 400, 'no kind "Nonsense" is registered for version "v1"'),
        ({"gracePeriodSeconds": "x"}, 400, "DeleteOptions.gracePeriodSeconds of type int64"),
        ({"preconditions": 3}, 400, "cannot unmarshal number"),
    ],
)
def test_wrong_delete_options(body: dict[str, object], code: int, text: str) -> None:
    with pytest.raises(StatusError) as caught:
        options.deleting(body, {})
    assert caught.value.code == code
    assert text in caught.value.message


def test_resource_versions_are_numbers() -> None:
    assert options.version({}) is None
    assert options.version({"resourceVersion": "12"}) == 12
    for wrong in ("abc", "-5", "٣"):
        with pytest.raises(StatusError) as caught:
            options.version({"resourceVersion": wrong})
        assert caught.value.code == 500
