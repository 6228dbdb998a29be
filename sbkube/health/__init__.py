"""Is this object ready? A pure table from kind to rule; nothing here asks a cluster or reads a clock.

`assess` judges one live object; `culprit` explains a failed one from its events and log.
"""

from __future__ import annotations

from sbkube.health.table import OPTIONAL_ANNOTATION, WAIT_FOR_ANNOTATION, assess

__all__ = ["OPTIONAL_ANNOTATION", "WAIT_FOR_ANNOTATION", "assess"]
