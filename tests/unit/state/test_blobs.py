"""Content-addressed storage: once, small, and unreadable where it must be."""

from __future__ import annotations

import pytest
from ledger_plans import config_map, live, secret
from sqlalchemy import text

from sbkube.errors import StateError
from sbkube.state.blobs import canonical, fingerprint, image, is_secret
from sbkube.state.packing import zstd


def test_the_same_content_is_kept_once(database):
    with database.writing() as conn:
        for _ in range(3):
            batch = database.store.batch()
            names = {batch.add({"b": 1, "a": 2}), batch.add({"a": 2, "b": 1})}
            batch.save(conn)
        assert len(names) == 1
        assert conn.execute(text("SELECT count(*) FROM blobs")).scalar() == 1


def test_sensitive_content_is_bound_to_its_identity(database):
    with database.writing() as conn:
        batch = database.store.batch()
        one = batch.add(secret(), "object:one", sensitive=True)
        two = batch.add(secret(), "object:two", sensitive=True)
        batch.save(conn)
        assert one != two
        assert database.store.load(conn, {one: "object:one"}) == {one: secret()}
        swap = "UPDATE blobs SET content = (SELECT content FROM blobs WHERE digest = :o) WHERE digest = :t"
        conn.execute(text(swap), {"o": one, "t": two})
        with pytest.raises(StateError, match="belongs to another"):
            database.store.load(conn, {two: "object:two"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE blobs SET content = :junk", "damaged"),
        ("UPDATE blobs SET content = (SELECT content FROM blobs b WHERE b.digest != blobs.digest)", "altered"),
        ("DELETE FROM blobs", "lacks"),
    ],
)
def test_altered_and_missing_content_is_noticed(database, change, message):
    with database.writing() as conn:
        batch = database.store.batch()
        name = batch.add({"a": 1})
        batch.add({"a": 2})
        batch.save(conn)
        conn.execute(text(change), {"junk": b"\0"} if ":junk" in change else {})
        with pytest.raises(StateError, match=message):
            database.store.load(conn, {name: ""})


def test_content_of_earlier_versions_is_read(database):
    """They compressed without a dictionary."""
    with database.writing() as conn:
        batch = database.store.batch()
        name = batch.add(config_map())
        batch.save(conn)
        ours = conn.execute(text("SELECT content FROM blobs")).scalar()
        theirs = zstd.compress(canonical(config_map()), 3)
        assert len(ours) < len(theirs)
        conn.execute(text("UPDATE blobs SET content = :theirs"), {"theirs": theirs})
        assert database.store.load(conn, {name: ""}) == {name: config_map()}


def test_little_change_costs_little(database):
    body = {**config_map(), "data": {f"key-{i}": "some value " * 5 for i in range(40)}}
    with database.writing() as conn:
        batch = database.store.batch()
        batch.add(body)
        batch.save(conn)
        size, kept = conn.execute(text("SELECT size, length(content) FROM blobs")).one()
    assert kept * 5 < size


def test_an_image_lacks_its_status_and_nothing_else():
    body = live(config_map())
    assert image(body) == {name: value for name, value in body.items() if name != "status"}
    assert image(None) is None


def test_fingerprints_are_hmacs_with_a_key_and_nothing_for_secrets_without(database):
    assert fingerprint(secret(), None) == ""
    assert fingerprint(config_map(), None, sensitive=True) == ""
    assert len(fingerprint(config_map(), None)) == 64
    assert fingerprint(config_map(), None) != fingerprint(config_map(), database.key)
    assert fingerprint(None, database.key) == ""


def test_only_core_secrets_are_secrets():
    assert is_secret(secret())
    assert not is_secret({**secret(), "apiVersion": "example.org/v1"})
    assert not is_secret(None)
