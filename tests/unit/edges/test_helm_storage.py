"""Helm's stored records: read, put back, and refused when damaged."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from sbkube.edges.helm_storage import MOST, StoredReleases, decode, pack, storage_object, unpack
from sbkube.errors import HelmError
from sbkube.models.resource import ResourceType


def release(name: str = "web", revision: int = 1, status: str = "deployed") -> dict[str, Any]:
    return {
        "name": name,
        "namespace": "shop",
        "version": revision,
        "config": {"color": "grün", "n": 1.5},
        "manifest": "---\n# Source: demo/templates/a.yaml\nkind: ConfigMap\n",
        "hooks": [{"name": "h", "path": "demo/templates/h.yaml", "manifest": "kind: Job\n"}],
        "info": {"status": status, "last_deployed": "2026-01-02T03:04:05Z", "description": "Install complete"},
        "chart": {"metadata": {"name": "demo", "version": "0.1.0", "appVersion": "7"}},
    }


def secret(stored: dict[str, Any]) -> dict[str, Any]:
    labels = {"name": stored["name"], "owner": "helm", "version": str(stored["version"]), "team": "blue"}
    labels["status"] = stored["info"]["status"]
    return {
        "metadata": {"name": "x", "namespace": "shop", "labels": labels},
        "data": {"release": base64.b64encode(pack(stored).encode()).decode()},
    }


class OneNamespace:
    """A cluster that answers one kind of list, and records what was asked."""

    def __init__(self, *secrets: dict[str, Any]) -> None:
        self.secrets = secrets
        self.asked: list[tuple[str, str, str]] = []

    def list(self, kind: ResourceType, namespace: str = "", *, labels: str = "", fields: str = "") -> list[Any]:
        self.asked.append((namespace, labels, fields))
        wanted = dict(part.split("=") for part in labels.split(","))
        return [s for s in self.secrets if wanted.items() <= s["metadata"]["labels"].items()]


def test_everything_that_is_stored_is_read() -> None:
    record = decode(secret(release()))
    assert (record.name, record.namespace, record.revision, record.status) == ("web", "shop", 1, "deployed")
    assert (record.chart_name, record.chart_version, record.app_version) == ("demo", "0.1.0", "7")
    assert record.values == {"color": "grün", "n": 1.5}
    assert record.labels == {"team": "blue"}
    assert record.hooks == ("# Source: demo/templates/h.yaml\nkind: Job\n",)
    assert (record.updated, record.description) == ("2026-01-02T03:04:05Z", "Install complete")


def test_values_are_never_shown() -> None:
    assert "grün" not in repr(decode(secret(release())))


def test_the_newest_revision_is_taken_by_number() -> None:
    cluster = OneNamespace(*(secret(release("web", n)) for n in (9, 10, 2)), secret(release("api", 1, "failed")))
    found = StoredReleases(cluster).releases("shop")  # type: ignore[arg-type]
    assert [(r.name, r.revision, r.status) for r in found] == [("api", 1, "failed"), ("web", 10, "deployed")]
    assert cluster.asked == [("shop", "owner=helm", "type=helm.sh/release.v1")]


def test_history_is_in_order() -> None:
    cluster = OneNamespace(*(secret(release("web", n)) for n in (9, 10, 2)), secret(release("api", 1)))
    found = StoredReleases(cluster).history("web", "shop")  # type: ignore[arg-type]
    assert [r.revision for r in found] == [2, 9, 10]


def test_without_a_cluster_there_are_no_releases() -> None:
    assert StoredReleases(None).releases("shop") == ()
    assert StoredReleases(None).history("web", "shop") == ()


def test_put_back_as_superseded() -> None:
    record = decode(secret(release()))
    body = storage_object(record)
    assert body["metadata"]["name"] == "sh.helm.release.v1.web.v1"
    assert body["metadata"]["namespace"] == "shop"
    assert body["type"] == "helm.sh/release.v1"
    assert body["metadata"]["labels"] == {
        "team": "blue",
        "name": "web",
        "owner": "helm",
        "status": "superseded",
        "version": "1",
    }
    again = decode(body)
    assert (again.status, again.values, again.manifest) == ("superseded", record.values, record.manifest)


def test_records_that_were_not_compressed_are_read() -> None:
    assert unpack(base64.b64encode(json.dumps(release()).encode()).decode()) == release()


def damaged() -> dict[str, str]:
    whole = base64.b64decode(pack(release()))
    return {
        "no base64": "***",
        "cut": base64.b64encode(whole[:60]).decode(),
        "no json": base64.b64encode(gzip.compress(b"hello")).decode(),
        "no object": base64.b64encode(gzip.compress(b"[1]")).decode(),
        "no release": base64.b64encode(gzip.compress(b'{"info": 1}')).decode(),
        "not gzip": base64.b64encode(b"\x1f\x8bnothing").decode(),
    }


@pytest.mark.parametrize("how", damaged())
def test_damaged_records_are_refused(how: str) -> None:
    body = secret(release())
    body["data"]["release"] = base64.b64encode(damaged()[how].encode()).decode()
    with pytest.raises(HelmError, match="release record in Secret x cannot be read") as caught:
        decode(body)
    assert caught.value.subject == "shop/web"


def test_a_secret_without_a_record() -> None:
    with pytest.raises(HelmError):
        decode({"metadata": {"name": "x"}})


def test_a_record_that_blows_up_is_refused() -> None:
    bomb = base64.b64encode(gzip.compress(b" " * (MOST + 1))).decode()
    with pytest.raises(ValueError, match="64 MiB"):
        unpack(bomb)
