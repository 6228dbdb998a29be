"""Reading what sops encrypted, and refusing what was altered since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyrage
import pytest
from sops_files import identity, sops

from sbkube.errors import RenderError
from sbkube.sources.sops import decrypted, for_age, is_sops

CONTENT = {
    "name": "web",
    "port": 8080,
    "rate": 0.5,
    "on": True,
    "none": None,
    "colour_unencrypted": "blue",
    "db": {"password": "planted: ä", "hosts": ["a", "b", {"port": 1}]},
}


@pytest.fixture
def who() -> Any:
    return identity()


def opener(who: Any) -> Callable[[bytes], bytes]:
    return lambda content: bytes(pyrage.decrypt(content, [who]))


def test_values_come_back_with_their_types(who: Any) -> None:
    sealed = sops(CONTENT, who)
    assert is_sops(sealed) and for_age(sealed)
    assert "planted" not in str(sealed) and sealed["colour_unencrypted"] == "blue"
    assert decrypted(sealed, opener(who)) == CONTENT


def _moved(sealed: dict[str, Any]) -> None:
    sealed["db"]["password"] = sealed["name"]


def _edited(sealed: dict[str, Any]) -> None:
    sealed["colour_unencrypted"] = "red"


def _removed(sealed: dict[str, Any]) -> None:
    del sealed["rate"]


def _plain(sealed: dict[str, Any]) -> None:
    sealed["name"] = "other"


@pytest.mark.parametrize("alter", [_moved, _edited, _removed, _plain])
def test_what_was_altered_is_refused(who: Any, alter: Callable[[dict[str, Any]], None]) -> None:
    sealed = sops(CONTENT, who)
    alter(sealed)
    with pytest.raises(RenderError, match="altered"):
        decrypted(sealed, opener(who))


def test_what_only_the_program_can_do_is_known() -> None:
    assert not for_age({"sops": {"mac": "x", "kms": [{}]}})
    assert not for_age({"sops": {"mac": "x", "age": [{}], "mac_only_encrypted": True}})
    assert not is_sops({"sops": "no"}) and not is_sops([])
