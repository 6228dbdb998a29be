"""Watches on a store without HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sbkube.sandbox.kinds import Registry
from sbkube.sandbox.store import Store
from sbkube.sandbox.watch import Wanted, watch


@pytest.mark.parametrize("version", [None, 1000])
def test_nobody_sees_what_is_not_yet_on_disk(tmp_path: Path, version: int | None) -> None:
    async def main() -> str:
        store = Store(tmp_path / "store.db")
        kind = Registry().by_kind("v1", "ConfigMap")
        assert kind is not None
        store.put(kind.store_key, "default", "c", {"metadata": {"name": "c"}})
        async for what, obj in watch(store, Wanted(kind, "default", lambda obj: True, version=version, seconds=5)):
            after_a_kill = Store(tmp_path / "store.db")
            assert after_a_kill.get(kind.store_key, "default", "c")
            after_a_kill.close()
            store.close()
            return f"{what} {obj['metadata']['name']}"
        return ""

    assert asyncio.run(main()) == "ADDED c"
