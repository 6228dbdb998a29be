"""Reading of live objects as they come: absent, null and oddly typed fields must never break a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbkube.models.health import Health, HealthStatus

Body = Mapping[str, Any]


def ready(message: str = "", reason: str = "Ready") -> Health:
    """Nothing more to wait for."""
    return Health(HealthStatus.READY, reason, message)


def waiting(reason: str, message: str = "") -> Health:
    """Not there yet."""
    return Health(HealthStatus.IN_PROGRESS, reason, message)


def failed(reason: str, message: str = "") -> Health:
    """Waiting longer will not help."""
    return Health(HealthStatus.FAILED, reason, message)


def section(body: Body, *path: str) -> Body:
    """The mapping at a path, or an empty one."""
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def number(fields: Body, name: str, default: int = 0) -> int:
    """An integer field. Some controllers write numbers as text, which counts; anything else is the default."""
    value = whole(fields.get(name))
    return default if value is None else value


def whole(value: Any) -> int | None:
    """An integer, also one written as text; None for everything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return None


def items(fields: Body, name: str) -> list[Body]:
    """The mappings of a list field."""
    value = fields.get(name)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def annotation(body: Body, name: str) -> str:
    """An annotation's text, empty where absent."""
    return str(section(body, "metadata", "annotations").get(name) or "")


def condition(body: Body, kind: str) -> Body | None:
    """The condition of a type, or None."""
    for entry in items(section(body, "status"), "conditions"):
        if entry.get("type") == kind:
            return entry
    return None


def holds(body: Body, kind: str, status: str = "True") -> bool:
    """The condition exists and has this status."""
    entry = condition(body, kind)
    return entry is not None and str(entry.get("status")) == status


def reason_of(entry: Body, default: str) -> str:
    """The condition's reason."""
    return str(entry.get("reason") or default)


def message_of(entry: Body) -> str:
    """The condition's message."""
    return str(entry.get("message") or "").strip()


def current(body: Body, entry: Body) -> bool:
    """The condition speaks of the object's present generation.

    Conditions may carry an `observedGeneration` of their own (Kubernetes API conventions, `metav1.Condition`);
    one that is behind `metadata.generation` is out of date.
    """
    observed = whole(entry.get("observedGeneration"))
    generation = whole(section(body, "metadata").get("generation"))
    return observed is None or generation is None or observed >= generation
