"""sbkube deploys Helm charts and manifests to Kubernetes and never loses track of what it did.

The library's front door is `open_project`; the command line lives in `sbkube.cli`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sbkube._version import __version__

if TYPE_CHECKING:
    from sbkube.api import Project, Where, open_project

__all__ = ["Project", "Where", "__version__", "open_project"]


def __getattr__(name: str) -> Any:
    """Load the API on first use, so that `import sbkube` costs nothing."""
    if name in {"Project", "Where", "open_project"}:
        from sbkube import api

        return getattr(api, name)
    raise AttributeError(f"module 'sbkube' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted(__all__)
