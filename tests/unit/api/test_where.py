"""Where a project is deployed to, and how long its lock lives."""

from __future__ import annotations

import pytest

from sbkube.api.where import lock_seconds, state_url
from sbkube.errors import UsageError


def test_the_nearest_state_url_wins() -> None:
    assert state_url("a.db", {"SBKUBE_STATE_URL": "b.db"}, "c.db") == "a.db"
    assert state_url(None, {"SBKUBE_STATE_URL": "b.db"}, "c.db") == "b.db"
    assert state_url(None, {}, "c.db") == "c.db"
    assert state_url(None, {}, None) is None


def test_a_lock_lives_thirty_seconds_unless_told_otherwise() -> None:
    assert lock_seconds({}) == 30
    assert lock_seconds({"SBKUBE_LOCK_SECONDS": "2"}) == 2


@pytest.mark.parametrize("text", ["1", "3601", "-5", "2.5", "long"])
def test_a_lock_that_cannot_be_kept_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="SBKUBE_LOCK_SECONDS"):
        lock_seconds({"SBKUBE_LOCK_SECONDS": text})
