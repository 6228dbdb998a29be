"""Label and field selectors."""

from __future__ import annotations

import pytest

from sbkube.sandbox.selectors import SelectorError, parse_field_selector, parse_label_selector, selector_of


@pytest.mark.parametrize(
    ("text", "labels", "selected"),
    [
        ("a=b", {"a": "b"}, True),
        ("a==b,c!=d", {"a": "b"}, True),
        ("a in (x, b)", {"a": "b"}, True),
        ("a notin (b)", {"a": "b"}, False),
        ("a notin (b)", {}, True),
        ("!a", {}, True),
        ("a", {}, False),
        ("a>3", {"a": "4"}, True),
        ("a<3", {"a": "x"}, False),
        ("", {"a": "b"}, True),
    ],
)
def test_label_selectors_select(text: str, labels: dict[str, str], selected: bool) -> None:
    assert parse_label_selector(text).matches(labels) is selected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("n in (1", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a,,b", "found ',', expected: identifier after ','"),
    ],
)
def test_label_selectors_are_refused_in_the_servers_words(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_label_selector(text)
    assert str(caught.value) == message


def test_an_absent_selector_selects_nothing_and_an_empty_one_everything() -> None:
    assert selector_of(None) is None
    empty = selector_of({})
    assert empty is not None
    assert empty.matches({"a": "b"})


def test_field_selectors_know_the_fields_of_their_kind() -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}}
    assert parse_field_selector("status.phase=Running,spec.nodeName!=m", "", "Pod").matches(pod)
    with pytest.raises(SelectorError, match=r"field label not supported: spec\.x"):
        parse_field_selector("spec.x=1", "", "Pod")
    with pytest.raises(SelectorError, match="is not a known field selector"):
        parse_field_selector("spec.replicas=1", "apps", "Deployment")
