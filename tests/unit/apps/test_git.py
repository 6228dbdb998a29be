"""The git app: which repository it makes known, and what is recorded of it."""

from __future__ import annotations

import pytest

from sbkube.apps.git import GitSpec
from sbkube.models.source import Login, Repository

KNOWN = {"shop": Repository("shop", "https://example.com/shop.git", Login("ann", "pw"), "main")}


def spec(**fields: str) -> GitSpec:
    return GitSpec.model_validate({"type": "git", **fields}).located("upstream")


@pytest.mark.parametrize(
    ("fields", "revision"), [({}, "main"), ({"branch": "next"}, "next"), ({"branch": "next", "ref": "v1"}, "v1")]
)
def test_a_named_repository_at_its_revision(fields: dict[str, str], revision: str) -> None:
    found = spec(repo="shop", **fields).checkouts(KNOWN)
    assert found == {"shop": Repository("shop", "https://example.com/shop.git", Login("ann", "pw"), revision)}


def test_a_url_is_known_by_the_apps_name_and_its_login_stays_out_of_sight() -> None:
    app = spec(repo="https://ann:s3cret@example.com/x.git")
    [(name, repository)] = app.checkouts({}).items()
    assert (name, repository.url) == ("upstream", "https://example.com/x.git")
    assert repository.login.password == "s3cret"
    assert "s3cret" not in str(app.snapshot()) + repr(repository)


def test_a_name_that_nobody_knows_makes_nothing_known() -> None:
    assert spec(repo="shap").checkouts(KNOWN) == {}
