"""Says which servers the scenarios were run against, and which not."""

from __future__ import annotations

import pytest
from conformance.servers import SERVERS, why_not
from conformance.talk import Api


@pytest.mark.parametrize("name", SERVERS)
def test_scenarios_run_against(name: str) -> None:
    if why := why_not(name):
        pytest.skip(f"no scenario was run against {name}: {why}")


def test_it_is_the_server_that_it_says(api: Api) -> None:
    version = api.get("/version").ok()["gitVersion"]
    assert version.endswith("+sandbox") == (api.name == "sandbox") or api.name == "kubeconfig"
