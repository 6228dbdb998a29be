"""The http app: what it accepts, and what is recorded of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sbkube.apps.http import HttpSpec


def spec(**fields: object) -> HttpSpec:
    base = {"type": "http", "url": "https://example.com/a?sig=s3cret", "dest": "a"}
    return HttpSpec.model_validate({**base, **fields}).located("get")


def test_headers_and_signatures_are_not_recorded() -> None:
    app = spec(headers={"Authorization": "Bearer s3cret"})
    assert app.snapshot()["headers"] == {"Authorization": "(masked)"}
    assert "s3cret" not in str(app.snapshot())


def test_a_digest_is_taken_in_both_spellings() -> None:
    assert spec(sha256="A" * 64).sha256 == spec(sha256="sha256:" + "a" * 64).sha256 == "a" * 64


@pytest.mark.parametrize(
    "wrong", [{"sha256": "12"}, {"sha256": "g" * 64}, {"url": "file:///etc/passwd"}, {"dest": ""}]
)
def test_what_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        spec(**wrong)
