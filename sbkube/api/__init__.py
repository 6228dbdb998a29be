"""The front door: open a project and plan, apply, roll back, delete, look.

This is the one place that builds anything real: clusters, Helm, the state database. Everything below is handed
what it needs. Functions are quiet; events go to the listener that you pass.
"""

from __future__ import annotations

from sbkube.api.checking import check_schema, check_storage
from sbkube.api.project import Project, open_project
from sbkube.api.running import Result
from sbkube.api.setup import (
    Check,
    doctor,
    history,
    inherit_project,
    init_project,
    migrate_project,
    schema,
    show,
)
from sbkube.api.upkeep import (
    export_state,
    import_state,
    new_state_key,
    prune_state,
    rekey_state,
    state_info,
    upgrade_state,
    verify_state,
)
from sbkube.api.where import SANDBOX_DIR, Where, sandbox

__all__ = [
    "SANDBOX_DIR",
    "Check",
    "Project",
    "Result",
    "Where",
    "check_schema",
    "check_storage",
    "doctor",
    "export_state",
    "history",
    "import_state",
    "inherit_project",
    "init_project",
    "migrate_project",
    "new_state_key",
    "open_project",
    "prune_state",
    "rekey_state",
    "sandbox",
    "schema",
    "show",
    "state_info",
    "upgrade_state",
    "verify_state",
]
