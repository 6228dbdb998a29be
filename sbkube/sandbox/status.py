"""The `Status` answers of the API server: every refusal is one StatusError (apimachinery `pkg/api/errors`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of an Invalid or Conflict answer.

    `reason` is a FieldValue… constant or FieldManagerConflict, `field` the dotted path, `message` everything
    behind the path (`Required value`, `Invalid value: "x": must …`).
    """

    reason: str
    message: str
    field: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class StatusError(Exception):
    """A refusal: `code` (HTTP), `reason`, `message`, `details`; `headers` go beside the body."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers: dict[str, str] = {}

    def body(self) -> Json:
        """The Status object."""
        found: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            found["reason"] = self.reason
        if self.details is not None:
            found["details"] = self.details
        found["code"] = self.code
        return found


def warning(text: str) -> str:
    """The value of a Warning header (RFC 7234): a quoted text of one line."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return '299 - "' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _details(kind: Kind, name: str, by_kind: bool = False) -> Json:
    details = {"name": name} if name else {}
    if kind.group:
        details["group"] = kind.group
    details["kind"] = kind.kind if by_kind else kind.plural
    return details


def not_found(kind: Kind, name: str) -> StatusError:
    """404 for a missing object."""
    return StatusError(404, "NotFound", f'{kind.resource} "{name}" not found', _details(kind, name))


def already_exists(kind: Kind, name: str, *, going: bool = False) -> StatusError:
    """409 for a create of what is there, or is still going away."""
    text = f'{kind.resource} "{name}" already exists'
    return StatusError(
        409, "AlreadyExists", f"object is being deleted: {text}" if going else text, _details(kind, name)
    )


def conflict(kind: Kind, name: str, why: str) -> StatusError:
    """409 for an outdated resourceVersion or a failed precondition."""
    return StatusError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}',
        _details(kind, name),
    )


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def apply_conflict(message: str, causes: Sequence[Cause]) -> StatusError:
    """409 of a server-side apply that meets other managers."""
    return StatusError(409, "Conflict", message, {"causes": _causes(causes)})


def forbidden(kind: Kind, name: str, why: str) -> StatusError:
    """403 with the reason behind the object's name."""
    subject = f'{kind.resource} "{name}"' if name else kind.resource
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {why}", _details(kind, name))


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> StatusError:
    """422 with all causes; several are listed in brackets, as `field.ErrorList` does, without repeats."""
    texts = list(dict.fromkeys(str(c) for c in causes))
    text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = _details(kind, name, by_kind=True)
    details["causes"] = _causes(causes)
    return StatusError(422, "Invalid", f'{kind.qualified} "{name}" is invalid: {text}', details)


def invalid_resource(kind: Kind, name: str, causes: Sequence[Cause]) -> StatusError:
    """422 that names the resource in place of the kind, as the storage layer does."""
    text = ", ".join(str(c) for c in causes)
    details = {**_details(kind, name), "causes": _causes(causes)}
    return StatusError(422, "Invalid", f'{kind.resource} "{name}" is invalid: {text}', details)


def precondition(kind: Kind, name: str, why: str) -> StatusError:
    """409 of a deletion whose preconditions fail; it names the kind in place of the resource."""
    text = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return StatusError(409, "Conflict", text, _details(kind, name, by_kind=True))


def invalid_options(options: str, causes: Sequence[Cause]) -> StatusError:
    """422 for options of a request (`options`: CreateOptions, ListOptions and so on)."""
    texts = list(dict.fromkeys(str(c) for c in causes))
    text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = {"group": "meta.k8s.io", "kind": options, "causes": _causes(causes)}
    return StatusError(422, "Invalid", f'{options}.meta.k8s.io "" is invalid: {text}', details)


def invalid_patch(patch: str, why: str) -> StatusError:
    """422 for a patch whose result cannot be read; `patch` is the patch as Go prints it."""
    cause = Cause("FieldValueInvalid", f"Invalid value: {patch}: {why}", "patch")
    return StatusError(422, "Invalid", f' "" is invalid: {cause}', {"causes": _causes([cause])})


def _causes(causes: Sequence[Cause]) -> list[Json]:
    return [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]


def bad_request(message: str) -> StatusError:
    """400."""
    return StatusError(400, "BadRequest", message)


def unprocessable(kind: Kind, name: str, message: str) -> StatusError:
    """422 without causes: a patch that cannot be carried out."""
    return StatusError(422, "Invalid", message, _details(kind, name) if name else None)


def server_error(message: str) -> StatusError:
    """500."""
    return StatusError(
        500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]}
    )


def method_not_allowed() -> StatusError:
    """405."""
    return StatusError(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        {},
    )


def path_not_found() -> StatusError:
    """404 for a path that nothing serves."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def unsupported_media_type(accepted: Sequence[str], got: str = "") -> StatusError:
    """415: the body has a content type that this endpoint does not read."""
    return StatusError(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted),
    )


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    """406: the client accepts nothing that this endpoint can answer."""
    return StatusError(
        406,
        "NotAcceptable",
        "only the following media types are accepted: " + ", ".join(accepted),
    )


def no_representation(available: Sequence[str]) -> StatusError:
    """406 as the router says it: no media type that the client accepts is served at all."""
    text = "406: Not Acceptable\n\nAvailable representations: " + ", ".join(available)
    return StatusError(406, "NotAcceptable", text, {})


def expired(message: str) -> StatusError:
    """410: the resource version asked for is no longer kept."""
    return StatusError(410, "Expired", message)


def unauthorized() -> StatusError:
    """401."""
    return StatusError(401, "Unauthorized", "Unauthorized")
