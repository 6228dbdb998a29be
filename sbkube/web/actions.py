"""What people do at the page: plan a rollback or a resume, agree to it, look at the cluster. Nothing acts by GET.

Each form brings the seal of its visitor; without it, or without the right to act, nothing is done.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sbkube.api import Actions, Offer, Wish
from sbkube.errors import DeploymentNotFound, ProjectError, UsageError
from sbkube.web import pages, views
from sbkube.web.door import Visitor

Form = Mapping[str, str]
CONSENTS = ("force", "delete_data")
LONGEST = 64 * 1024  # bytes of a form


def posted(
    act: Callable[[Request, Form], Response], *, acting: bool = True
) -> Callable[[Request], Awaitable[Response]]:
    """A route that takes forms of ours; `acting`: from those who may act."""

    async def endpoint(request: Request) -> Response:
        visitor: Visitor = request.state.visitor
        if acting and not visitor.acts:
            return _forbidden(request)
        door, form = pages.door(request), await _form(request)
        if acting and door.forged.too_many:
            return _wrong(request, 429, "Too many wrong forms. Wait a minute.")
        if not door.sealed(visitor, form.get("seal", "")):
            return _wrong(request, 403, "This form was made for another session. Open its page again.")
        return await to_thread.run_sync(act, request, form)

    return endpoint


async def _form(request: Request) -> Form:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            raise UsageError("this form is too long")
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _wrong(request: Request, status: int, text: str, hint: str = "") -> Response:
    return pages.render(request, "error.html", status, title="Nothing was done", text=text, hint=hint, problems=())


def _forbidden(request: Request) -> Response:
    return _wrong(
        request, 403, "This session only reads.", "The address to act is in the terminal of sbkube serve."
    )


def _actions(request: Request) -> Actions:
    found: Actions = request.app.state.actions
    return found


def plan(request: Request, form: Form) -> Response:
    """Make the plan of what is wanted, and go to its page."""
    record = pages.browser(request).record(form.get("deployment") or "-")
    consents = {name: name in form for name in ("to", *CONSENTS)}
    wish = Wish(form.get("command", ""), record.deployment_id, **consents)
    try:
        offer = _actions(request).offer(wish, record)
    except ProjectError as error:
        return _refused(request, error, wish, error.hint or "", _consents(error, wish))
    return RedirectResponse("/plan?" + urlencode({"digest": offer.digest}), 303)


def _consents(error: ProjectError, wish: Wish) -> tuple[str, ...]:
    """The consents that would help, with those that were given; none where none helps."""
    said = "\n".join([error.hint or "", *map(str, error.problems)])
    helps = {"force": re.search(r"--force\b(?!-)", said), "delete_data": "--delete-data" in said}
    return (
        tuple(name for name, asked in helps.items() if asked or getattr(wish, name)) if any(helps.values()) else ()
    )


def planned(request: Request) -> Response:
    """A plan, and what has to be confirmed before it is executed."""
    if not request.state.visitor.acts:
        return _forbidden(request)
    return _shown(request, _actions(request).offered(request.query_params.get("digest", "")))


def _shown(request: Request, offer: Offer, status: int = 200, problem: str = "") -> Response:
    shown = views.plan(offer.plan)
    return pages.render(
        request, "plan.html", status, wish=offer.wish, digest=offer.digest, problem=problem, **shown
    )


def execute(request: Request, form: Form) -> Response:
    """Execute a plan as it was shown, and go to its deployment."""
    offer = _actions(request).offered(form.get("digest", ""))
    if form.get("confirm", "").strip() != offer.plan.project:
        return _shown(request, offer, 400, f"Nothing was done: that is not {offer.plan.project}.")
    try:
        name = _actions(request).agree(offer, request.state.visitor.person)
    except ProjectError as error:
        given = tuple(name for name in CONSENTS if getattr(offer.wish, name))
        return _refused(request, error, offer.wish, "Make the plan again, and look at it.", given, again=True)
    return RedirectResponse("/deployment?" + urlencode({"id": name}), 303)


def _refused(
    request: Request, error: ProjectError, wish: Wish, hint: str, consents: Sequence[str], *, again: bool = False
) -> Response:
    """Why a plan is not made, or not executed any more; where that helps, with the way to a new one."""
    values = {"text": str(error), "problems": error.problems, "hint": hint, "wish": wish}
    return pages.render(request, "refused.html", 409, **values, consents=consents, again=again or bool(consents))


def project(request: Request) -> Response:
    """One project on one cluster: how it was deployed last, and what others have changed since."""
    asked = {name: request.query_params.get(name, "") for name in ("cluster", "project", "namespace")}
    found = pages.browser(request).timeline(size=1, **asked).records
    if not found:
        raise DeploymentNotFound("there is no such project")
    now, record = datetime.now(UTC), found[0]
    actions = _actions(request)
    look = views.look(actions.looked(record), now)
    acts, obstacle = request.state.visitor.acts, actions.obstacle(record)
    return pages.render(request, "project.html", **views.row(record, now), look=look, acts=acts, obstacle=obstacle)


def look(request: Request, form: Form) -> Response:
    """Look at the cluster, and go back to the page of the project."""
    record = pages.browser(request).record(form.get("deployment") or "-")
    _actions(request).look(record)
    return RedirectResponse(views.project_link(record), 303)
