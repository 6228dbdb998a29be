"""Helm's own record of releases: Secrets of type `helm.sh/release.v1`, one per revision.

Read in one list per namespace over the Kubernetes API, whoever wrote them. This gives status, values, manifest and
hooks at once, where Helm's `list`, `get` and `status` need a request and a decoding per release.
Format: https://github.com/helm/helm/blob/main/pkg/storage/driver (base64 of gzip of JSON).
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sbkube.errors import HelmError
from sbkube.models.release import HookRun, ReleaseRecord
from sbkube.models.resource import ResourceKey, ResourceType
from sbkube.ports import ClusterReader

SECRETS = ResourceType("", "v1", "Secret", "secrets", True)
OWNED = "owner=helm"
KIND = "helm.sh/release.v1"
TYPE = f"type={KIND}"
MOST = 64 * 1024 * 1024  # bytes of JSON; a Secret holds 1 MiB of gzip, which a hostile one could blow up
_SYSTEM_LABELS = frozenset({"name", "owner", "status", "version", "createdAt", "modifiedAt"})


class StoredReleases:
    """The half of HelmPort that reads Helm's records; both implementations have it from here."""

    def __init__(self, cluster: ClusterReader | None) -> None:
        """Without a cluster there are no releases."""
        self._cluster = cluster

    def releases(self, namespace: str) -> tuple[ReleaseRecord, ...]:
        """The newest revision of every release in a namespace, by name, all statuses."""
        newest: dict[str, Mapping[str, Any]] = {}
        for secret in self._secrets(namespace, OWNED):
            name = str(_labels(secret).get("name", ""))
            if name and _revision(secret) > _revision(newest.get(name, {})):
                newest[name] = secret
        return tuple(decode(newest[name]) for name in sorted(newest))

    def history(self, name: str, namespace: str) -> tuple[ReleaseRecord, ...]:
        """All stored revisions of a release, oldest first."""
        found = self._secrets(namespace, f"{OWNED},name={name}")
        return tuple(sorted(map(decode, found), key=lambda record: record.revision))

    def decode(self, raw: str, namespace: str) -> ReleaseRecord:
        """A record from its stored form; raises HelmError when it cannot be read."""
        with _readable("the stored release record", namespace):
            return record_of(unpack(raw), namespace=namespace, raw=raw)

    def storage_object(
        self, record: ReleaseRecord, *, status: str = "superseded", description: str = ""
    ) -> dict[str, Any]:
        """The Secret that Helm keeps `record` in, with another status: `superseded` can be rolled back to."""
        return storage_object(record, status, description)

    def _stored(self, name: str, namespace: str, revision: int = 0) -> ReleaseRecord:
        """A revision, or the newest when it is 0 or gone; raises HelmError when there is none."""
        if self._cluster is not None and revision:
            secret = self._cluster.get(ResourceKey("", "v1", "Secret", namespace, _key(name, revision)))
            if secret is not None:
                return decode(secret)
        records = self.history(name, namespace)
        if not records:
            raise HelmError("Helm has no record of this release", subject=f"{namespace}/{name}")
        return records[-1]

    def _secrets(self, namespace: str, labels: str) -> list[dict[str, Any]]:
        if self._cluster is None:
            return []
        return self._cluster.list(SECRETS, namespace, labels=labels, fields=TYPE)


def decode(secret: Mapping[str, Any]) -> ReleaseRecord:
    """One revision from its Secret; raises HelmError when the record cannot be read."""
    meta = secret.get("metadata") or {}
    namespace = str(meta.get("namespace") or "")
    with _readable(
        f"the release record in Secret {meta.get('name')}", f"{namespace}/{_labels(secret).get('name')}"
    ):
        raw = base64.b64decode((secret.get("data") or {})["release"]).decode("ascii")
        own = {key: str(value) for key, value in _labels(secret).items() if key not in _SYSTEM_LABELS}
        return record_of(unpack(raw), namespace=namespace, labels=own, raw=raw)


def storage_object(record: ReleaseRecord, status: str = "superseded", description: str = "") -> dict[str, Any]:
    """The Secret of a revision with a status; raises HelmError when its `raw` cannot be read."""
    with _readable("the stored release record", f"{record.namespace}/{record.name}"):
        stored = unpack(record.raw)
    stored["version"] = record.revision
    stored["info"] = {**(stored.get("info") or {}), "status": status}
    if description:
        stored["info"]["description"] = description
    own = {"name": record.name, "owner": "helm", "status": status, "version": str(record.revision)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": _key(record.name, record.revision),
            "namespace": record.namespace,
            "labels": {**record.labels, **own},
        },
        "type": KIND,
        "data": {"release": base64.b64encode(pack(stored).encode()).decode()},
    }


@contextmanager
def _readable(what: str, subject: str) -> Iterator[None]:
    """Turn everything that a damaged record raises into HelmError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, EOFError, OSError, zlib.error) as error:
        raise HelmError(
            f"{what} cannot be read: {error or type(error).__name__}",
            subject=subject,
            hint="it was not written by Helm, or was damaged; look at it with kubectl get secret -o yaml",
        ) from error


def unpack(raw: str) -> dict[str, Any]:
    """The JSON inside of a stored record; raises ValueError and what base64 and gzip raise."""
    data = base64.b64decode(raw, validate=True)
    if data[:2] == b"\x1f\x8b":
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        data = unpacker.decompress(data, MOST)
        if unpacker.unconsumed_tail:
            raise ValueError("it is larger than 64 MiB")
    stored = json.loads(data)
    if not isinstance(stored, dict):
        raise ValueError("it holds no release")
    return stored


def pack(stored: Mapping[str, Any]) -> str:
    """Inverse of `unpack`, as Helm writes it."""
    text = json.dumps(stored, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


def record_of(
    stored: Mapping[str, Any], *, namespace: str = "", labels: Mapping[str, str] | None = None, raw: str = ""
) -> ReleaseRecord:
    """A revision from the JSON that Helm stores and that `helm … -o json` prints."""
    info: Mapping[str, Any] = stored.get("info") or {}
    chart: Mapping[str, Any] = (stored.get("chart") or {}).get("metadata") or {}
    return ReleaseRecord(
        name=str(stored.get("name", "")),
        namespace=str(stored.get("namespace") or namespace),
        revision=int(stored.get("version") or 0),
        status=str(info.get("status", "unknown")),
        chart_name=str(chart.get("name", "")),
        chart_version=str(chart.get("version", "")),
        app_version=str(chart.get("appVersion", "")),
        manifest=str(stored.get("manifest") or ""),
        hooks=hooks_of(stored.get("hooks") or ()),
        values=dict(stored.get("config") or {}),
        labels=dict(labels if labels is not None else stored.get("labels") or {}),
        updated=str(info.get("last_deployed") or ""),
        description=str(info.get("description") or ""),
        raw=raw,
        hook_runs=tuple(map(_hook_run, stored.get("hooks") or ())),
        deleted=str(info.get("deleted") or ""),
    )


def _hook_run(hook: Mapping[str, Any]) -> HookRun:
    run: Mapping[str, Any] = hook.get("last_run") or {}
    started = str(run.get("started_at") or "")
    return HookRun(
        name=str(hook.get("name", "")),
        kind=str(hook.get("kind", "")),
        manifest=str(hook.get("manifest") or ""),
        events=tuple(map(str, hook.get("events") or ())),
        weight=int(hook.get("weight") or 0),
        deletes=tuple(map(str, hook.get("delete_policies") or ())),
        phase=str(run.get("phase") or ""),
        started="" if started.startswith("0001-") else started,
    )


def hooks_of(hooks: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Hook documents with the `# Source:` line that manifests have and hooks do not."""
    return tuple(
        with_source(str(h.get("path", "")), str(h.get("manifest", ""))) for h in hooks if h.get("manifest")
    )


def with_source(path: str, document: str) -> str:
    """A document headed by its `# Source:` line."""
    return document if document.startswith("# Source: ") else f"# Source: {path}\n{document}"


def _key(name: str, revision: int) -> str:
    return f"sh.helm.release.v1.{name}.v{revision}"


def _labels(secret: Mapping[str, Any]) -> Mapping[str, Any]:
    return (secret.get("metadata") or {}).get("labels") or {}


def _revision(secret: Mapping[str, Any]) -> int:
    text = str(_labels(secret).get("version", ""))
    return int(text) if text.isdigit() else 0
