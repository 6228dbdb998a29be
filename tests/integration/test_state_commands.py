"""`sbkube state`: the database itself."""

from __future__ import annotations

import base64
import os
import sqlite3

from integration.conftest import Bench
from shapes import configmap


def test_a_key_is_32_random_bytes(bench: Bench) -> None:
    keys = {bench.ok("state", "key").out.strip() for _ in range(2)}
    assert len(keys) == 2
    assert all(len(base64.b64decode(key)) == 32 for key in keys)


def test_verify_finds_a_change_of_history(bench: Bench) -> None:
    bench.write("m.yaml", configmap("a", x="1"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")
    assert bench.ok("state", "upgrade").code == 0
    assert "intact" in bench.ok("state", "verify").out
    with sqlite3.connect(os.environ["SBKUBE_STATE_URL"]) as database:
        database.execute("update deployments set operator = 'somebody else'")
    ran = bench.sbkube("state", "verify", "-o", "json")
    assert ran.code == 1 and ran.json["ok"] is False and ran.json["findings"]
