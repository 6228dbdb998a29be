"""Reduces the definitions in the `kubernetes-validate` package to sbkube/data/kubernetes-schema.json.gz.

Usage: python scripts/make_schema.py [VERSION]   (1.36.0 without an argument)

Kept are the definitions that served kinds reach, without descriptions and with short member names:
`p` properties, `r` required, `a` atomic map, `g` (group, version, kind), `$` reference, `t` type, `f` format,
`i` items, `m` map values, `l` list type, `k` list keys, `s` patch strategy, `y` patch merge key.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate

sys.path.insert(0, str(Path(__file__).parent.parent))
from sbkube.sandbox.kinds import BUILTIN

Json = dict[str, Any]
TARGET = Path(__file__).parent.parent / "sbkube" / "data" / "kubernetes-schema.json.gz"
EXTRA = ("meta.v1.DeleteOptions", "autoscaling.v1.Scale", "policy.v1.Eviction", "authentication.v1.TokenRequest")
SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
}


def node(schema: Json) -> Json:
    """One property, shortened."""
    out: Json = {}
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        out = {"t": SPECIAL[name]} if name in SPECIAL else {"$": name}
    else:
        kinds = schema.get("type")
        kinds = [kinds] if isinstance(kinds, str) else kinds or []
        kind = next((k for k in kinds if k != "null"), "any")
        out["t"] = kind
        if "format" in schema:
            out["f"] = schema["format"]
        if "items" in schema:
            out["i"] = node(schema["items"])
        if isinstance(schema.get("additionalProperties"), dict):
            out["m"] = node(schema["additionalProperties"])
    return out | attributes(schema)


def attributes(schema: Json) -> Json:
    """The merge rules of one property or definition."""
    out: Json = {}
    for ours, theirs in (
        ("l", "list-type"),
        ("k", "list-map-keys"),
        ("s", "patch-strategy"),
        ("y", "patch-merge-key"),
    ):
        if f"x-kubernetes-{theirs}" in schema:
            out[ours] = schema[f"x-kubernetes-{theirs}"]
    if schema.get("x-kubernetes-map-type") == "atomic":
        out["a"] = 1
    return out


def definition(schema: Json) -> Json:
    """One definition, shortened."""
    out = attributes(schema)
    if "properties" in schema:
        out["p"] = {k: node(v) for k, v in schema["properties"].items()}
    else:
        out |= node(schema)
    if schema.get("required"):
        out["r"] = schema["required"]
    if schema.get("x-kubernetes-group-version-kind"):
        out["g"] = [[g["group"], g["version"], g["kind"]] for g in schema["x-kubernetes-group-version-kind"]]
    return out


def references(part: Any) -> set[str]:
    """All definitions that a shortened part names."""
    if isinstance(part, list):
        return set().union(*(references(p) for p in part))
    if not isinstance(part, dict):
        return set()
    found = {part["$"]} if isinstance(part.get("$"), str) else set()
    return found.union(*(references(p) for p in part.values()))


def main(version: str) -> None:
    """Writes the file."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}-local"
    defs = json.loads((folder / "_definitions.json").read_text())["$defs"]
    short = {k: definition(v) for k, v in defs.items() if k not in SPECIAL}
    served = {k.gvk for k in BUILTIN}
    wanted = {n for n, d in short.items() if any(tuple(g) in served for g in d.get("g", ()))}
    wanted |= {n for n in short if n.endswith(EXTRA)}
    kept: set[str] = set()
    while wanted:
        kept |= wanted
        wanted = set().union(*(references(short[n]) for n in wanted)) - kept
    for name in kept:
        if len(short[name].get("g", ())) > 3:
            short[name]["g"] = []
    document = {
        "notice": "Reduced from the Kubernetes API definitions, Copyright The Kubernetes Authors, Apache-2.0",
        "version": version,
        "definitions": {n: short[n] for n in sorted(kept)},
    }
    data = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    TARGET.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{TARGET.name}: {len(kept)} definitions, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "1.36.0")
