"""An API on an empty store, without server and controllers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sbkube.sandbox import custom
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind, Registry
from sbkube.sandbox.store import Store

Json = dict[str, Any]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """The API with the namespace `default`."""
    store = Store(tmp_path / "store.db")
    made = Api(store, Registry())
    custom.follow(made)
    space = made.registry.by_kind("v1", "Namespace")
    assert space is not None
    made.create(space, "", {"metadata": {"name": "default"}})
    yield made
    store.close()


@pytest.fixture
def kind(api: Api) -> Callable[[str, str], Kind]:
    """Looks up a served kind by apiVersion and kind."""

    def find(api_version: str, name: str) -> Kind:
        found = api.registry.by_kind(api_version, name)
        assert found is not None
        return found

    return find
