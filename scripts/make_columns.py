"""Writes sbkube/data/table-columns.json: the API's documentation of the fields that kubectl's tables show.

Run it after changing `sbkube/sandbox/printing/columns.py`. The texts come from `kubernetes-validate`
(Kubernetes' API definitions, Apache-2.0; see sbkube/data/NOTICE).
"""

from __future__ import annotations

import json
from pathlib import Path

import kubernetes_validate

from sbkube.sandbox.printing.columns import COLUMNS, DEFAULT

SOURCE = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / "v1.36.0-local"
TARGET = Path(__file__).parent.parent / "sbkube" / "data" / "table-columns.json"


def main() -> None:
    """Collects the texts behind all `@definition.property` references."""
    wanted = {c[4][1:] for row in (*COLUMNS.values(), DEFAULT) for c in row if c[4].startswith("@")}
    texts = {}
    for reference in sorted(wanted):
        definition, _, member = reference.rpartition(".")
        schema = json.loads((SOURCE / f"{definition}.json").read_text())
        texts[reference] = schema["properties"][member].get("description", "")
    TARGET.write_text(json.dumps(texts, indent=1) + "\n")
    print(f"{len(texts)} texts, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
