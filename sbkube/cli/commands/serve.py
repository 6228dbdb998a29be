"""`serve`: the history as a web page. Needs no cluster, and changes nothing."""

from __future__ import annotations

from typing import Any

import click

from sbkube.cli.options import Command
from sbkube.cli.places import place
from sbkube.cli.session import Session

METRICS_TOKEN = "SBKUBE_METRICS_TOKEN"


@click.command("serve", cls=Command)
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8384, show_default=True, help="0: any free one.")
@click.option("--unix-socket", metavar="PATH", help="Listen on this socket instead.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Answer to this name too (repeatable).")
@click.option("--trust-proxy", multiple=True, metavar="NETWORK", help="Believe its identity header (repeatable).")
@click.option("--identity-header", metavar="NAME", help="Header in which a proxy names the person.")
def serve(session: Session, host: str, port: int, unix_socket: str | None, **who: Any) -> int:
    """Show deployments, what they changed, and who did it, in a browser. Reads only; Ctrl-C ends it.

    The address that is printed lets one browser in, once; then the next one is printed.
    """
    from sbkube.errors import ToolMissing, UsageError

    if bool(who["identity_header"]) != bool(who["trust_proxy"] or unix_socket) and not unix_socket:
        raise UsageError("--trust-proxy and --identity-header belong together", hint="give both of them")
    try:
        from sbkube.web import server
        from sbkube.web.door import Door, Rules
    except ImportError as error:
        raise ToolMissing("the web page needs more packages", hint="pip install 'sbkube[web]'") from error

    names = frozenset({*who["allow_host"], host} - {"0.0.0.0", "::", "[::]"})
    token = session.terminal.environ.get(METRICS_TOKEN) or ""
    door = Door(Rules(names, who["trust_proxy"], who["identity_header"] or "", bool(unix_socket), token))
    browser = session.api.open_browser(place(session))
    try:
        own = server.listen_unix(unix_socket) if unix_socket else server.listen(host, port)
        base = f"http://{_name(host)}:{own.getsockname()[1]}" if not unix_socket else "http://localhost"

        def announce() -> None:
            url = f"{base}/login?token={door.invite()}"
            session.emit("serve", lambda: {"url": url, "socket": unix_socket}, lambda: f"Open (once): {url}")

        with own:
            server.run(server.application(browser, door, announce), [own])
    finally:
        browser.close()
    return 0


def _name(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
