"""The care of a ledger as a whole: proof, export and import, forgetting. Part of `DeploymentTracker`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbkube.models.outcome import Outcome
from sbkube.state.database import DeploymentDatabase

if TYPE_CHECKING:  # each is imported by the command that needs it
    from sbkube.state import census, pruning, transfer
    from sbkube.state.verify import Anchor, Verdict


class Upkeep:
    """What can be done with a whole database."""

    database: DeploymentDatabase

    def hide(self, sensitive: Sequence[str]) -> None:
        """Keep objects with something at these path globs encrypted, as Secrets are; they may grow."""
        self.database.store.sensitive = sensitive

    def verify(self, anchor: Anchor | None = None, progress: transfer.Progress | None = None) -> Verdict:
        """Whether what is recorded of ended deployments is what was recorded when they ended. `anchor` is what
        the cluster knows of the last one; `progress` gets deployments done and in all."""
        from sbkube.state.verify import verify

        with self.database.reading() as conn:
            return verify(conn, self.database.store, anchor, progress)

    def export_to(self, file: Path, progress: transfer.Progress | None = None) -> transfer.Exported:
        """Write the whole database into a new file, from which `import_from` reads."""
        from sbkube.state import transfer

        return transfer.export(self.database, file, progress)

    def import_from(self, file: Path, progress: transfer.Progress | None = None) -> transfer.Imported:
        """Merge an exported file into this database. Raises StateError for damage, with nothing changed."""
        from sbkube.state import transfer

        return transfer.import_file(self.database, file, progress)

    def prune(self, rule: pruning.Rule, *, dry_run: bool = False) -> pruning.Pruned:
        """Forget old deployments, but nothing that the inventory or a rollback of what is kept needs."""
        from sbkube.state import pruning

        return pruning.prune(self.database, rule, dry_run=dry_run)

    def info(self) -> census.Info:
        """Place, size, schema and counts."""
        from sbkube.state import census

        return census.info(self.database)

    def dump_outcomes(self, deployment_id: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """Outcomes that the database could not take, as `import_outcomes` reads them; needs no database."""
        from sbkube.state import unrecorded

        return unrecorded.document(deployment_id, outcomes, self.database.key)
