"""Refusals of an API server, translated: `Status` objects and transport errors into our own classes."""

from __future__ import annotations

import re
import socket
import ssl
from typing import Any

import orjson

from sbkube.edges.access import Access
from sbkube.edges.wire import Answer, Unintelligible
from sbkube.errors import ClusterError, ClusterForbidden, ClusterUnreachable, SbkubeError

# RBAC's own sentence (apiserver, `responsewriters.forbiddenMessage`).
RIGHT = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) (?:resource "(?P<resource>[^"]*)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]*)"| at the cluster scope)?'
    r'|path "(?P<path>[^"]*)")'
)
# Admission also says 403, but about this object, not about us.
ADMISSION = (
    "exceeded quota",
    "violates PodSecurity",
    "denied the request",
    "being terminated",
    "maximum ",
    "denied request",
)


def refused(answer: Answer, access: Access, subject: object = None) -> SbkubeError:
    """What an answer of 400 and above means.

    401 and 403 are ClusterForbidden with the missing right, except for refusals by admission (quota, pod
    security, webhooks, a namespace in termination), which are ClusterError like the rest.
    """
    status = _status(answer)
    message = " ".join(str(status.get("message") or _plain(answer)).split())
    about = None if subject is None else str(subject)
    if answer.status == 401:
        return ClusterForbidden(
            f'{access.server} does not accept the credentials of "{access.user or "nobody"}": {message}',
            subject=f"context {access.context}" if access.context else None,
            hint="log in again or renew the kubeconfig",
        )
    if answer.status == 403 and not any(words in message for words in ADMISSION):
        return ClusterForbidden(message, subject=about, hint=_missing_right(message))
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return ClusterError(
        message,
        code=answer.status,
        reason=str(status.get("reason") or ""),
        causes=[(str(c.get("field") or ""), str(c.get("message") or "")) for c in causes or ()],
        subject=about,
    )


def from_event(status: dict[str, Any], subject: object = None) -> ClusterError:
    """The error that a watch reports as an event."""
    return ClusterError(
        str(status.get("message") or "the watch ended with an error"),
        code=int(status.get("code") or 500),
        reason=str(status.get("reason") or ""),
        subject=None if subject is None else str(subject),
    )


def _status(answer: Answer) -> dict[str, Any]:
    try:
        status = orjson.loads(answer.body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def _plain(answer: Answer) -> str:
    """The first line of a body that is no Status: proxies answer in HTML or text."""
    text = re.sub(r"<[^>]*>", " ", answer.body[:2000].decode("utf-8", "replace")).strip()
    return f"HTTP {answer.status}: {text.splitlines()[0].strip()[:200]}" if text else f"HTTP {answer.status}"


def _missing_right(message: str) -> str:
    found = RIGHT.search(message)
    if found is None:
        return "ask for the right to do this, or use another context"
    if found["path"]:
        return f'"{found["user"]}" needs the right to {found["verb"]} {found["path"]}'
    resource = ".".join(filter(None, (found["resource"], found["group"])))
    where = f"in namespace {found['namespace']}" if found["namespace"] else "in the whole cluster"
    return f'"{found["user"]}" needs the verb "{found["verb"]}" on {resource} {where} (a Role or ClusterRole)'


def unreachable(error: Exception, access: Access) -> ClusterUnreachable:
    """What a failing connection means, with the way out."""
    what, hint = _reason(error, access)
    by = f" through proxy {access.proxy.rpartition('@')[2]}" if access.proxy else ""
    place = f"context {access.context}" if access.context else None
    return ClusterUnreachable(f"{access.server}{by}: {what}", subject=place, hint=hint)


def _reason(error: Exception, access: Access) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", "") or str(error)
        return f"its certificate is not trusted: {why}", (
            "certificate-authority-data must be this cluster's CA, and the server's name in its certificate "
            "(else set tls-server-name)"
        )
    if isinstance(error, ssl.SSLError):
        return (
            f"TLS failed: {getattr(error, 'reason', None) or error}",
            "is it https, and is this the API server's port?",
        )
    if isinstance(error, socket.gaierror):
        return "the name cannot be resolved", "check the server's name, DNS and VPN"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused", "is the cluster running, and is the port right?"
    if isinstance(error, TimeoutError):
        return "no answer in time", "check VPN, firewall and proxy"
    if isinstance(error, Unintelligible):
        return "the answer is not HTTP/1.1", "is this the API server's port?"
    if isinstance(error, ConnectionError):
        return "the connection was lost", "try again; what was sent may have been done"
    return str(
        getattr(error, "strerror", None) or error
    ), f"check the server in {access.origin or 'the kubeconfig'}"
