"""One function per page that only reads. They run in the server's thread pool."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from sbkube.api import Actions, Browser
from sbkube.errors import (
    DeploymentNotFound,
    ProjectError,
    SbkubeError,
    StateBehind,
    StateError,
    StateLocked,
    UsageError,
)
from sbkube.models.deployment_state import DeploymentRecord, DeploymentStatus
from sbkube.models.resource import ResourceKey
from sbkube.report.markup import Html, element, escaped, joined
from sbkube.report.printable import printable
from sbkube.web import views
from sbkube.web.door import SESSION_SECONDS, Door, cookie

STATIC = Path(__file__).parent / "static"
_FILTERS = ("cluster", "project", "app", "status", "person", "since", "until", "text")
_PAGE = 50
_COMPARED = 25  # objects, each with its difference
_BARS = 200


def _printable(value: object) -> object:
    """What a template puts out; what is HTML already was made of printable text."""
    return printable(value) if type(value) is str else value


@cache
def _templates() -> Environment:
    loader = PackageLoader("sbkube.web")
    found = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_printable
    )
    found.filters["words"] = _words
    found.globals["edition"] = _edition()
    return found


def _edition() -> str:
    """What browsers may keep is asked for anew when it has changed."""
    whole = hashlib.sha256()
    for file in sorted(STATIC.iterdir()):
        whole.update(file.read_bytes())
    return whole.hexdigest()[:12]


def _words(text: object) -> Html:
    """A sentence for people, where code stands between backticks."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return escaped(text)
    return joined(element("code", part) if at % 2 else part for at, part in enumerate(parts))


def render(request: Request, name: str, status: int = 200, **values: Any) -> Response:
    """A page made of a template; every value in it is escaped."""
    visitor = getattr(request.state, "visitor", None)
    text = _templates().get_template(name).render(path=request.url.path, visitor=visitor, **values)
    return HTMLResponse(text, status)


def browser(request: Request) -> Browser:
    """What reads the state database."""
    found: Browser = request.app.state.browser
    return found


def door(request: Request) -> Door:
    """What knows who may come in."""
    found: Door = request.app.state.door
    return found


def _actions(request: Request) -> Actions | None:
    found: Actions | None = request.app.state.actions
    return found


def overview(request: Request) -> Response:
    """Projects with their newest deployments, and the timeline of all with filters."""
    given = {name: value for name in _FILTERS if (value := request.query_params.get(name, "").strip())}
    page = browser(request).timeline(rest=request.query_params.get("rest", ""), size=_PAGE, **_wanted(given))
    newest, now, actions = browser(request).newest(), datetime.now(UTC), _actions(request)
    return render(
        request,
        "overview.html",
        given={name: given.get(name, "") for name in _FILTERS},
        filtered=bool(given),
        newest=[views.card(record, now, actions) for record in newest],
        rows=[views.row(record, now) for record in page.records],
        rest="/?" + urlencode({**given, "rest": page.rest}) if page.rest else "",
        first=not request.query_params.get("rest"),
        clusters=sorted({r.cluster for r in newest}),
        projects=sorted({r.project for r in newest if r.project}),
        statuses=[status.value for status in DeploymentStatus],
    )


def _wanted(given: Mapping[str, str]) -> dict[str, Any]:
    names = {"app": "app_name"}
    wanted: dict[str, Any] = {names.get(name, name): value for name, value in given.items()}
    wanted |= {name: _moment(wanted[name]) for name in ("since", "until") if name in wanted}
    if wanted.get("status", "success") not in set(DeploymentStatus):
        raise UsageError("there is no such status", hint="choose one of the list")
    return wanted


def _moment(text: str) -> datetime:
    units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    try:
        if text[-1] in units:
            return datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError("this is no time", hint="write 7d, 12h, or 2026-05-01") from None


def deployment(request: Request) -> Response:
    """One deployment with everything it did."""
    found = browser(request).outline(request.query_params.get("id") or "latest", most=_PAGE, drawn=_BARS)
    hidden = browser(request).sensitive([found.detail.deployment])
    record, actions = found.detail.deployment, _actions(request) if request.state.visitor.acts else None
    obstacle = actions.obstacle(record) if actions else None
    ways = _ways(record) if actions and not obstacle else []
    return render(request, "deployment.html", ways=ways, obstacle=obstacle, **views.deployment(found, hidden))


def objects(request: Request) -> Response:
    """What one app of a deployment did to objects, in pages."""
    reader, app = browser(request), request.query_params.get("app", "")
    record = reader.record(request.query_params.get("id", ""))
    found = reader.objects(record, app, after=_number(request, "after"), limit=_PAGE)
    shown = views.objects(record, found, reader.sensitive([record]))
    rest = views.objects_link(record, app, found[-1].id) if len(found) == _PAGE else ""
    return render(request, "objects.html", record=record, app=app, objects=shown, rest=rest)


def _number(request: Request, name: str) -> int:
    """A key of a row in the address, 0 for none."""
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _ways(record: DeploymentRecord) -> list[tuple[str, str, str]]:
    """What can be done with a deployment: the command, what to add to it, and in words."""
    if not record.status.ended:
        return []
    cut_off = record.status is DeploymentStatus.INTERRUPTED
    resume = [("resume", "", "Go on with it")] if cut_off and not record.resumed_by else []
    return [*resume, ("rollback", "", "Roll back to before it"), ("rollback", "to", "Go back to what it left")]


def compare(request: Request) -> Response:
    """What differs between what two deployments left."""
    first, second = (request.query_params.get(name, "").strip() for name in ("a", "b"))
    form: dict[str, Any] = {"a": first, "b": second, "found": None, "problem": ""}
    if not first or not second:
        problem = "Choose two deployments." if request.query_params else ""
        return render(request, "compare.html", 400 if problem else 200, **form | {"problem": problem})
    reader, skip = browser(request), _number(request, "skip")
    try:
        records = [reader.record(name) for name in (first, second)]
        left, right, more = reader.compare(*records, skip=skip, limit=_COMPARED)
    except (DeploymentNotFound, UsageError) as error:
        return render(request, "compare.html", _status(error), **form | {"problem": str(error)})
    form["found"] = views.difference(left, right, reader.sensitive(records), records[0].cluster_uid)
    rest = "/compare?" + urlencode({"a": first, "b": second, "skip": skip + _COMPARED}) if more else ""
    return render(request, "compare.html", **form, rest=rest, skip=skip)


def one_object(request: Request) -> Response:
    """One object, or one of its fields, through all deployments."""
    asked = request.query_params
    names = {name: asked.get(name, "") for name in ("group", "version", "kind", "namespace", "name")}
    key, cluster, field = ResourceKey(**names), asked.get("cluster", ""), asked.get("field", "").strip()
    before = _number(request, "before")
    found = browser(request).through_time(cluster, key, before=before, limit=_PAGE)
    if not (found or before):
        raise DeploymentNotFound("no deployment has touched such an object")
    same = {"cluster": cluster, **names}
    rest = (
        "/object?" + urlencode({**same, "field": field, "before": found[-1][1].id}) if len(found) == _PAGE else ""
    )
    entries = views.biography(found, field, browser(request).sensitive(record for record, _ in found))
    return render(request, "object.html", key=key, same=same, field=field, entries=entries, rest=rest)


def login(request: Request) -> Response:
    """Exchange the one-time token for a session, or say how to get one."""
    guard, token = door(request), request.query_params.get("token", "")
    if not token or request.method == "HEAD":  # which checks links before people open them
        return ask_to_sign_in(request)
    too_many = guard.strangers.too_many
    session, acts = guard.enter(token)
    if not session:
        if too_many:
            return render(request, "login.html", 429, problem="Too many wrong addresses. Wait a minute.")
        problem = "This address was used already, or is wrong. The newest one is in the terminal of sbkube serve."
        return render(request, "login.html", 403, problem=problem)
    request.app.state.announce(acts)
    answer = RedirectResponse("/", 303)
    kept: dict[str, Any] = {"secure": guard.over_tls(request), "samesite": "lax"}  # links from elsewhere work
    answer.set_cookie(cookie(request), session, max_age=SESSION_SECONDS, httponly=True, **kept)
    return answer


def ask_to_sign_in(request: Request) -> Response:
    """The page for people without a session."""
    return render(request, "login.html", 401, problem="")


def logout(request: Request, _: Mapping[str, str]) -> Response:
    """End the session."""
    door(request).leave(request.cookies.get(cookie(request), ""))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(cookie(request), httponly=True, samesite="lax")
    return answer


def health(request: Request) -> Response:
    """Whether the database answers."""
    try:
        browser(request).pulse()
    except StateError:
        return PlainTextResponse("the state database does not answer\n", 503)
    return PlainTextResponse("ok\n")


def metrics(request: Request) -> Response:
    """Counts for Prometheus, in its text format."""
    totals = browser(request).totals()
    lines = ["# HELP sbkube_deployments Recorded deployments.", "# TYPE sbkube_deployments gauge"]
    lines += [f"sbkube_deployments{_labels(*row[:3])} {row[3]}" for row in totals]
    lines.append("# HELP sbkube_last_deployment_timestamp_seconds When the newest deployment of a status began.")
    lines.append("# TYPE sbkube_last_deployment_timestamp_seconds gauge")
    name = "sbkube_last_deployment_timestamp_seconds"
    lines += [f"{name}{_labels(*row[:3])} {row[4].timestamp():.3f}" for row in totals]
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _labels(cluster: str, project: str, status: str) -> str:
    def quoted(text: str) -> str:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    return f'{{cluster="{quoted(cluster)}",project="{quoted(project)}",status="{quoted(status)}"}}'


def failed(request: Request, error: Exception) -> Response:
    """The one place where errors become pages."""
    text = str(error) if isinstance(error, SbkubeError) else "This is a bug in sbkube."
    hint = error.hint if isinstance(error, SbkubeError) else "Please report it."
    problems = error.problems if isinstance(error, ProjectError) else ()
    title = "This cannot be shown" if request.method == "GET" else "Nothing was done"
    values = {"text": text, "hint": hint or "", "problems": problems}
    return render(request, "error.html", _status(error), title=title, **values)


def _status(error: Exception) -> int:
    if isinstance(error, DeploymentNotFound):
        return 404
    if isinstance(error, UsageError):
        return 400
    if isinstance(error, ProjectError | StateLocked | StateBehind):
        return 409
    return 503 if isinstance(error, SbkubeError) else 500


def missing(request: Request, error: Exception) -> Response:
    """There is no such page."""
    values = {"title": "This cannot be shown", "text": "There is no such page.", "hint": "", "problems": ()}
    return render(request, "error.html", 404, **values)
