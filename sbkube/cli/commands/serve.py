"""`serve`: the history as a web page. Changes nothing and needs no cluster, unless `--allow-actions` is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from sbkube.cli.options import Command
from sbkube.cli.places import place
from sbkube.cli.session import Session
from sbkube.cli.signals import stopping

if TYPE_CHECKING:
    from sbkube.api import Actions

METRICS_TOKEN = "SBKUBE_METRICS_TOKEN"


@click.command("serve", cls=Command)
@click.argument("targets", nargs=-1)
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8384, show_default=True, help="0: any free one.")
@click.option("--unix-socket", metavar="PATH", help="Listen on this socket instead.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Answer to this name too (repeatable).")
@click.option("--trust-proxy", multiple=True, metavar="NETWORK", help="Believe its identity header (repeatable).")
@click.option("--identity-header", metavar="NAME", help="Header in which a proxy names the person.")
@click.option("--allow-actions", is_flag=True, help="Roll back, resume and look at TARGETS on the cluster.")
@click.option("--actor", multiple=True, metavar="NAME", help="Whoever the header names so may act (repeatable).")
def serve(session: Session, host: str, port: int, unix_socket: str | None, **how: Any) -> int:
    """Show deployments, what they changed, and who did it, in a browser. Reads only; Ctrl-C ends it.

    The address that is printed lets one browser in, once; then the next one is printed. With --allow-actions a
    second address is printed: who opens it may act on the projects in TARGETS (default: the current folder).
    """
    from sbkube.errors import ToolMissing

    _refuse_halves(session, unix_socket, how)
    try:
        from sbkube.web import server
        from sbkube.web.door import Door, Rules
    except ImportError as error:
        raise ToolMissing("the web page needs more packages", hint="pip install 'sbkube[web]'") from error

    names = frozenset({*how["allow_host"], host} - {"0.0.0.0", "::", "[::]"})
    token, acting = session.terminal.environ.get(METRICS_TOKEN) or "", how["allow_actions"]
    proxies, header, actors = how["trust_proxy"], how["identity_header"] or "", frozenset(how["actor"])
    door = Door(Rules(names, proxies, header, bool(unix_socket), token, acting, actors))
    actions = _actions(session, how["targets"]) if acting else None
    browser = session.api.open_browser(actions.state_url if actions else place(session))
    try:
        own = server.listen_unix(unix_socket) if unix_socket else server.listen(host, port)
        base = f"http://{_name(host)}:{own.getsockname()[1]}" if not unix_socket else "http://localhost"

        def announce(acts: bool) -> None:
            url = f"{base}/login?token={door.invite(acts=acts)}"
            content = {"url": url, "socket": unix_socket, "acts": acts}
            session.emit("serve", lambda: content, lambda: f"Open{' to act' if acts else ''} (once): {url}")

        with own:
            server.run(server.application(browser, door, announce, actions), [own])
    finally:
        if actions:
            _stop(session, actions)
        browser.close()
    return 0


def _refuse_halves(session: Session, unix_socket: str | None, how: Mapping[str, Any]) -> None:
    """Options that mean nothing without others, or beside them."""
    from sbkube.errors import UsageError

    if bool(how["identity_header"]) != bool(how["trust_proxy"] or unix_socket) and not unix_socket:
        raise UsageError("--trust-proxy and --identity-header belong together", hint="give both of them")
    if (how["targets"] or how["actor"]) and not how["allow_actions"]:
        raise UsageError("without --allow-actions the page only reads", hint="give it, or leave TARGETS away")
    if how["allow_actions"] and session.options.dry_run:
        raise UsageError("a dry run does not act", hint="leave --allow-actions away")
    if how["actor"] and not how["identity_header"]:
        raise UsageError("--actor is whom a proxy names", hint="say with --identity-header where")


def _actions(session: Session, targets: Sequence[str]) -> Actions:
    """What can be done at the page; what fails after it has begun is told here."""

    def tell(error: BaseException) -> None:
        from sbkube.cli.failures import report

        report(error, session.terminal, session.options.output)

    found: Actions = session.api.Actions(
        [session.target(one) for one in targets or (None,)],
        namespace=session.options.namespace,
        environment=session.options.environment,
        where=session.where(),
        tell=tell,
    )
    return found


def _stop(session: Session, actions: Actions) -> None:
    """As Ctrl-C stops a command: what is in flight is finished and recorded, unless it comes again."""
    actions.stop()
    if actions.busy:
        session.terminal.err("stopping: what is in flight is finished and recorded (again to stop at once)")
    with stopping(actions.cancel, session.terminal.err, session.quit_now):
        actions.close()


def _name(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
