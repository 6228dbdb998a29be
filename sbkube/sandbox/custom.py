"""Makes the kinds of stored CRDs served, and stops serving them when their CRD goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sbkube.sandbox import crds, schema, tables
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import SCALE, Kind, Subresource, status_of
from sbkube.sandbox.store import Event

Json = dict[str, Any]
# In the order in which discovery shows them for custom resources.
_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
CRDS = "customresourcedefinitions.apiextensions.k8s.io"


def kinds_of(crd: Json) -> list[tuple[Kind, Json]]:
    """The served kinds of a CRD with the schema of each."""
    spec = crd["spec"]
    names, versions = spec["names"], spec.get("versions") or []
    stored = next((v["name"] for v in versions if v.get("storage")), "")
    found = []
    for version in versions:
        if not version.get("served"):
            continue
        declared = version.get("subresources") or {}
        subs: list[Subresource] = [status_of(names["kind"])] if "status" in declared else []
        if "scale" in declared:
            places = declared["scale"] or {}
            names_of = ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
            wanted, present, selected = (str(places.get(n) or "") for n in names_of)
            subs.append(replace(SCALE, paths=(wanted, present, selected)))
        kind = Kind(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            singular=names.get("singular") or names["kind"].lower(),
            namespaced=spec.get("scope") == "Namespaced",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            verbs=_VERBS,
            subresources=tuple(subs),
            storage=(spec["group"], stored, names["kind"]),
            custom=True,
        )
        found.append((kind, (version.get("schema") or {}).get("openAPIV3Schema") or {}))
    return found


def follow(api: Api) -> None:
    """Serves what is stored now and follows the changes."""
    for _, crd in api.store.items(CRDS):
        _serve(api, crd)

    def hear(event: Event) -> None:
        if event.resource != CRDS:
            return
        if event.old is not None:
            _drop(api, event.old)
        if event.what != "DELETED":
            _serve(api, event.new)

    api.store.listen(hear)


def _serve(api: Api, crd: Json) -> None:
    for kind, openapi in kinds_of(crd):
        crds.remember(kind, openapi)
        declared = next(v for v in crd["spec"]["versions"] if v["name"] == kind.version)
        tables.remember(kind, declared.get("additionalPrinterColumns"))
        schema.register_custom(kind, openapi)
        api.registry.add(kind)


def _drop(api: Api, crd: Json) -> None:
    for kind, _ in kinds_of(crd):
        api.registry.remove(kind)
