"""Quantities as the API server stores them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbkube.sandbox.inprocess import InProcess
from sbkube.sandbox.quantities import NoQuantity, canonical, parse


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("1000m", "1"), ("1", "1"), ("0.5", "500m"), ("1.5", "1500m"), ("2000", "2k"), ("100m", "100m"),
        ("1Gi", "1Gi"), ("1.5Gi", "1536Mi"), ("1024Mi", "1Gi"), ("0.5Gi", "512Mi"), ("1000Mi", "1000Mi"),
        ("0.1Gi", "107374183"), ("512Ki", "512Ki"), ("0.5Ki", "512"), ("1e3", "1e3"), ("12E3", "12e3"),
        ("1000e0", "1e3"), ("5e-3", "5e-3"), ("0", "0"), ("0m", "0"), ("-1.5", "-1500m"), ("+2", "2"), ("1.", "1"),
        (".5", "500m"), ("0.0000000001", "1n"), ("1000000k", "1G"), ("128974848", "128974848"), ("129M", "129M"),
    ],
)  # fmt: skip
def test_the_stored_form(given: str, stored: str) -> None:
    assert canonical(given) == stored


@pytest.mark.parametrize("text", ["", "one", "1 Gi", "1Zi", "1.2.3", "--1", "m", "1e", "1K"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(NoQuantity):
        canonical(text)


@given(st.integers(0, 10**9), st.sampled_from(["n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "e3", "e-6"]))
def test_the_stored_form_is_its_own(number: int, suffix: str) -> None:
    once = canonical(f"{number}{suffix}")
    assert canonical(once) == once


def test_another_spelling_of_the_same_amount_changes_nothing() -> None:
    path = "/apis/apps/v1/namespaces/default/deployments/d?fieldManager=m"
    headers = {"Content-Type": "application/apply-patch+yaml"}

    def applied(box: InProcess, cpu: str) -> dict[str, Any]:
        container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
        spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}
        found: dict[str, Any] = box.request("PATCH", path, body, headers).json()
        return found

    with InProcess() as box:
        one, other, more = (applied(box, cpu) for cpu in ("1000m", "1", "2"))
    stored = one["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]
    assert stored == {"cpu": "1"}
    assert one["metadata"]["generation"] == other["metadata"]["generation"] == 1
    assert more["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("text", "number"), [("1Gi", 2**30), ("1.5k", 1500), ("100m", Fraction(1, 10)), ("2e3", 2000), ("0", 0)]
)
def test_the_number_that_is_meant(text: str, number: Fraction) -> None:
    assert parse(text) == number
