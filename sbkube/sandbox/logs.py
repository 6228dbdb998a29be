"""The logs of pods: the text of an annotation, under the conditions that the API server and the kubelet set.

Sources: `registry/core/pod/strategy.go` (LogLocation), `apis/core/validation` (ValidatePodLogOptions) and the
kubelet's `validateContainerLogStatus`. Nothing runs, so nothing is added later: following ends with the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sbkube.sandbox.api import Api
from sbkube.sandbox.options import flag, number
from sbkube.sandbox.routing import Target
from sbkube.sandbox.status import Cause, StatusError, bad_request
from sbkube.sandbox.validation.causes import forbidden, invalid, non_negative

Json = dict[str, Any]
ANNOTATION = "sandbox.sbkube.dev/log"
_PULLS = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


def text(api: Api, target: Target, query: Mapping[str, str]) -> bytes:
    """What the container said, as far as the query asks for it. Raises StatusError 400, 404, 422."""
    _check(target.name, query)
    pod = api.get(target.kind, target.namespace, target.name)
    container = _container(pod, query.get("container", ""))
    if not (pod.get("spec") or {}).get("nodeName"):
        return b""  # Nobody can be asked yet, which is no error to the API server.
    started = _began(pod, container, bool(flag(query, "previous")))
    annotations = pod["metadata"].get("annotations") or {}
    said = str(annotations.get(ANNOTATION, f"sandbox (simulated Kubernetes API): log of {target.name}"))
    lines = said.removesuffix("\n").split("\n")
    if _seconds(started) < _since(query):
        lines = []
    if query.get("tailLines"):
        lines = lines[max(0, len(lines) - number(query, "tailLines")) :]
    if flag(query, "timestamps"):
        stamp = started.removesuffix("Z") + ".000000000Z"
        lines = [f"{stamp} {line}" for line in lines]
    found = "".join(line + "\n" for line in lines).encode()
    return found[: number(query, "limitBytes")] if query.get("limitBytes") else found


def _check(name: str, query: Mapping[str, str]) -> None:
    found: list[Cause] = []
    if query.get("tailLines"):
        found += non_negative("tailLines", number(query, "tailLines"))
    for member in ("limitBytes", "sinceSeconds"):
        if query.get(member) and number(query, member) < 1:
            found.append(invalid(member, number(query, member), "must be greater than 0"))
    if query.get("sinceSeconds") and query.get("sinceTime"):
        found.append(forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    if found:
        told = ", ".join(str(c) for c in found)
        causes = [{"reason": c.reason, "message": c.message, "field": c.field} for c in found]
        details = {"name": name, "kind": "PodLogOptions", "causes": causes}
        listed = told if len(found) == 1 else f"[{told}]"
        raise StatusError(422, "Invalid", f'PodLogOptions "{name}" is invalid: {listed}', details)


def _since(query: Mapping[str, str]) -> float:
    """The earliest time asked for, in seconds since 1970."""
    if query.get("sinceSeconds"):
        return datetime.now(UTC).timestamp() - number(query, "sinceSeconds")
    wanted = query.get("sinceTime", "")
    try:
        return _seconds(wanted) if wanted else 0.0
    except ValueError:
        layout = "2006-01-02T15:04:05Z07:00"
        raise bad_request(f'parsing time "{wanted}" as "{layout}": cannot parse "{wanted}" as "2006"') from None


def _seconds(time: str) -> float:
    read = datetime.fromisoformat(time)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _container(pod: Json, wanted: str) -> str:
    """The container that is meant; it has to be named where there are several. Raises StatusError 400."""
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    ordinary, first, added = (_names(spec.get(m)) for m in ("containers", "initContainers", "ephemeralContainers"))
    if wanted:
        if wanted not in (*ordinary, *first, *added):
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(ordinary) == 1:
        return ordinary[0]
    told = f"a container name must be specified for pod {name}, choose one of: [{' '.join(ordinary)}]"
    raise bad_request(told + (f" or one of the init containers: [{' '.join(first)}]" if first else ""))


def _names(containers: Iterable[Json] | None) -> list[str]:
    return [str(c.get("name", "")) for c in containers or ()]


def _began(pod: Json, container: str, previous: bool) -> str:
    """When the run began whose log is meant. Raises StatusError 400 when there has been none."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    members = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    found = next((s for m in members for s in status.get(m) or () if s.get("name") == container), None)
    if found is None:
        raise bad_request(f'container "{container}" in pod "{name}" is not available')
    state, last = found.get("state") or {}, (found.get("lastState") or {}).get("terminated")
    if previous:
        if not last:
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return str(last["startedAt"])
    run = state.get("running") or state.get("terminated") or last
    if run:
        return str(run["startedAt"])
    reason = (state.get("waiting") or {}).get("reason", "")
    why = f"waiting to start: {_PULLS.get(reason, reason)}" if reason else "waiting to start - no logs yet"
    raise bad_request(f'container "{container}" in pod "{name}" is {why}')
