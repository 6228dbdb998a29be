"""The front door: open a project and plan, apply, roll back, delete, look.

This is the one place that builds anything real: clusters, Helm, the state database. Everything below is handed
what it needs. Functions are quiet; events go to the listener that you pass. Each module is loaded when a name of
it is first used: looking at the history needs little of all this.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sbkube.api.browsing import Browser, open_browser
    from sbkube.api.checking import check_schema, check_storage
    from sbkube.api.family import Member
    from sbkube.api.leftover import open_recorded
    from sbkube.api.offering import Actions, Look, Offer, Wish
    from sbkube.api.project import Project, open_project
    from sbkube.api.records import Records, open_records
    from sbkube.api.running import Result
    from sbkube.api.setup import (
        Check,
        doctor,
        hidden_paths,
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
    "Actions",
    "Browser",
    "Check",
    "Look",
    "Member",
    "Offer",
    "Project",
    "Records",
    "Result",
    "Where",
    "Wish",
    "check_schema",
    "check_storage",
    "doctor",
    "export_state",
    "hidden_paths",
    "history",
    "import_state",
    "inherit_project",
    "init_project",
    "migrate_project",
    "new_state_key",
    "open_browser",
    "open_project",
    "open_recorded",
    "open_records",
    "prune_state",
    "rekey_state",
    "sandbox",
    "schema",
    "show",
    "state_info",
    "upgrade_state",
    "verify_state",
]

_MODULES = {
    "browsing": (
        "Browser",
        "open_browser",
    ),
    "checking": (
        "check_schema",
        "check_storage",
    ),
    "family": ("Member",),
    "leftover": ("open_recorded",),
    "offering": (
        "Actions",
        "Look",
        "Offer",
        "Wish",
    ),
    "project": (
        "Project",
        "open_project",
    ),
    "records": (
        "Records",
        "open_records",
    ),
    "running": ("Result",),
    "setup": (
        "Check",
        "doctor",
        "hidden_paths",
        "history",
        "inherit_project",
        "init_project",
        "migrate_project",
        "schema",
        "show",
    ),
    "upkeep": (
        "export_state",
        "import_state",
        "new_state_key",
        "prune_state",
        "rekey_state",
        "state_info",
        "upgrade_state",
        "verify_state",
    ),
    "where": (
        "SANDBOX_DIR",
        "Where",
        "sandbox",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A public name, from its module."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return found
