"""The care of a ledger as a whole: proof, export and import, forgetting. Part of `DeploymentTracker`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sbkube.models.outcome import Outcome
from sbkube.state import census, pruning, transfer, unrecorded
from sbkube.state.database import DeploymentDatabase
from sbkube.state.verify import Anchor, Verdict, verify


class Upkeep:
    """What can be done with a whole database."""

    database: DeploymentDatabase

    def hide(self, sensitive: Sequence[str]) -> None:
        """Keep objects with something at these path globs encrypted, as Secrets are."""
        self.database.store.sensitive = tuple(sensitive)

    def verify(self, anchor: Anchor | None = None) -> Verdict:
        """Whether what is recorded of ended deployments is what was recorded when they ended. `anchor` is what
        the cluster knows of the last one."""
        with self.database.reading() as conn:
            return verify(conn, self.database.store, anchor)

    def export_to(self, file: Path, progress: transfer.Progress | None = None) -> transfer.Exported:
        """Write the whole database into a new file, from which `import_from` reads."""
        return transfer.export(self.database, file, progress)

    def import_from(self, file: Path, progress: transfer.Progress | None = None) -> transfer.Imported:
        """Merge an exported file into this database. Raises StateError for damage, with nothing changed."""
        return transfer.import_file(self.database, file, progress)

    def prune(self, rule: pruning.Rule, *, dry_run: bool = False) -> pruning.Pruned:
        """Forget old deployments, but nothing that the inventory or a rollback of what is kept needs."""
        return pruning.prune(self.database, rule, dry_run=dry_run)

    def info(self) -> census.Info:
        """Place, size, schema and counts."""
        return census.info(self.database)

    def dump_outcomes(self, deployment_id: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """Outcomes that the database could not take, as `import_outcomes` reads them; needs no database."""
        return unrecorded.document(deployment_id, outcomes, self.database.key)
