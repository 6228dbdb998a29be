"""The state key: where it comes from, what it refuses, what it hides."""

from __future__ import annotations

import base64
import stat

import pytest

from sbkube.errors import StateError
from sbkube.state.secrets import StateKey, key_file, load_key, new_key_text, parse_key


def test_sealed_content_opens_for_the_same_identity_only():
    key = StateKey(bytes(range(32)))
    sealed = key.seal(b"content", "object:a")
    assert b"content" not in sealed
    assert key.open(sealed, "object:a") == b"content"
    with pytest.raises(StateError, match="altered"):
        key.open(sealed, "object:b")
    with pytest.raises(StateError, match="altered"):
        key.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "object:a")


def test_the_nonce_is_random():
    key = StateKey(bytes(32))
    assert key.seal(b"x", "a") != key.seal(b"x", "a")


def test_another_key_gives_other_digests_and_another_name():
    one, two = StateKey(bytes(32)), StateKey(bytes([1] * 32))
    assert one.digest(b"x") != two.digest(b"x")
    assert one.digest(b"x") != one.closing(b"x")
    assert one.key_id != two.key_id
    assert one.key_id in repr(one)


@pytest.mark.parametrize("text", ["no base64!", base64.b64encode(b"short").decode(), "passphrase"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(StateError) as caught:
        parse_key(text, "SBKUBE_STATE_KEY")
    assert text not in str(caught.value)


def test_the_variable_comes_first(tmp_path):
    text = new_key_text()
    key = load_key({"SBKUBE_STATE_KEY": text}, tmp_path / "key", create=True)
    assert key is not None
    assert key.key_id == parse_key(text, "x").key_id
    assert not (tmp_path / "key").exists()


def test_a_key_file_is_made_once_and_only_for_us(tmp_path):
    file = key_file(tmp_path / "deployments.db")
    first = load_key({}, file, create=True)
    second = load_key({}, file, create=True)
    assert first is not None
    assert second is not None
    assert first.key_id == second.key_id
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    file = tmp_path / "key"
    file.write_text(new_key_text())
    file.chmod(0o644)
    with pytest.raises(StateError, match="read by others"):
        load_key({}, file, create=True)


def test_no_key_is_no_key(tmp_path):
    assert load_key({}, None, create=True) is None
    assert load_key({}, tmp_path / "key", create=False) is None


def test_several_keys_stand_beside_each_other():
    first, second = new_key_text(), new_key_text()
    key = parse_key(f"{first}, {second}\n", "x")
    older = parse_key(second, "x")
    assert key.key_id == parse_key(first, "x").key_id
    assert key.named(older.key_id).key_id == older.key_id
    assert key.named("0000") is None
    with pytest.raises(StateError, match="not base64"):
        parse_key(f"{first}, nonsense!", "x")


def test_a_key_file_that_cannot_be_read_is_named(tmp_path):
    file = tmp_path / "key"
    file.mkdir(mode=0o700)
    with pytest.raises(StateError, match="cannot be read") as caught:
        load_key({}, file, create=True)
    assert caught.value.subject == str(file) and "SBKUBE_STATE_KEY" in caught.value.hint
    other = tmp_path / "binary"
    other.write_bytes(b"\xff\xfe")
    other.chmod(0o600)
    with pytest.raises(StateError, match="no text"):
        load_key({}, other, create=True)
