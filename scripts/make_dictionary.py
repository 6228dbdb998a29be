"""Makes a dictionary for the blobs of state databases (sbkube/data/objects-N.zdict): what Kubernetes objects, and
our plans of them, have in common.

It deploys the examples that need no internet to a sandbox and learns from what is recorded. A dictionary that was
shipped must stay as it is, for databases need it for ever: this makes the next one.

Usage: python scripts/make_dictionary.py N
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from sbkube.api import Where, open_project
from sbkube.api.where import sandbox
from sbkube.state.blobs import canonical
from sbkube.state.packing import zstd
from sbkube.state.tracker import DeploymentTracker

ROOT = Path(__file__).resolve().parent.parent
SIZE = 16384
FIRST_ID = 32768  # the numbers below are given out by a registrar
EXAMPLES = ("01-quickstart", "02-order", "05-commands", "06-actions", "07-phases")


def samples(folder: Path) -> Iterator[bytes]:
    """What a state database keeps of the examples: live objects and wanted ones, and plans."""
    url = str(folder / "deployments.db")
    environ = {**os.environ, "SBKUBE_STATE_URL": url}
    for name in EXAMPLES:
        shutil.copytree(ROOT / "examples" / name, folder / name)
        deploy(folder / name, environ)
    tracker = DeploymentTracker(url)
    for record in tracker.database.list_deployments(limit=None):
        detail = tracker.detail(record.deployment_id)
        bodies = [body for row in detail.resources for body in (row.intent, row.before, row.after) if body]
        yield from map(canonical, bodies)
    with tracker.database.reading() as conn:
        for row in conn.exec_driver_sql("SELECT * FROM blobs WHERE key_id = ''").all():
            if (data := tracker.database.store.unpack(row, "")) is not None:
                yield data
    tracker.close()


def deploy(folder: Path, environ: Mapping[str, str]) -> None:
    """Deploy a project twice, the second time with something changed, and undo that."""
    where = Where(sandbox=True)
    try:
        for _ in range(2):
            with open_project(folder, where=where, environ=environ) as project:
                project.execute(project.plan(), command="apply")
            for file in folder.rglob("*.yaml"):
                file.write_text(re.sub("replicas: [0-9]+", "replicas: 4", file.read_text()))
        with open_project(folder, where=where, environ=environ) as project:
            project.execute(project.plan_rollback(), command="rollback")
    finally:
        sandbox(folder).down()


def main(number: int) -> None:
    """Learn, give the dictionary its number, and write it."""
    with tempfile.TemporaryDirectory() as folder:
        found = list(samples(Path(folder)))
    content = bytearray(zstd.train_dict(found, SIZE).dict_content)
    content[4:8] = struct.pack("<I", FIRST_ID + number)
    target = ROOT / "sbkube" / "data" / f"objects-{number}.zdict"
    target.write_bytes(content)
    print(f"{len(found)} samples, {len(content)} bytes: {target}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
