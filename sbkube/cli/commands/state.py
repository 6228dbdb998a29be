"""`state`: the care of the state database. Needs no cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from sbkube.cli.commands.sandbox import SandboxGroup
from sbkube.cli.durations import since
from sbkube.cli.execution import arguments
from sbkube.cli.options import Command
from sbkube.cli.places import place
from sbkube.cli.session import Session
from sbkube.errors import SurroundingsError, UsageError

_TELL_EVERY = 2.0  # seconds


@click.group("state", cls=SandboxGroup)
def state() -> None:
    """The state database: upgrade, prove, move, shrink and rebuild it.

    It is the one of --state-url, else SBKUBE_STATE_URL, else the project in the current folder, else the default.
    """


def progress(session: Session, word: str) -> Callable[[int, int], None]:
    """A listener for long work: a counter on a terminal, elsewhere a line on standard error now and then."""
    if session.terminal.draws:
        return session.progress.count
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _TELL_EVERY and not session.options.quiet:
            last = now
            session.terminal.err(f"{word} {done} of {total}")

    return tell


@state.command("upgrade", cls=Command)
def upgrade(session: Session) -> int:
    """Bring the database's schema to this version. SQLite does that by itself; PostgreSQL only here."""
    where = session.api.upgrade_state(place(session))
    session.emit("state-upgrade", lambda: {"state": where}, lambda: f"up to date: {where}")
    return 0


@state.command("verify", cls=Command)
def verify(session: Session) -> int:
    """Check that what is recorded of ended deployments is what was recorded when they ended.

    In a project's folder the cluster is asked too: its Lease names the last deployment, so that a history that was
    cut off at its end shows.
    """
    verdict = _verdict(session)
    findings = [{"subject": f.subject, "message": f.message, "serious": f.serious} for f in verdict.findings]

    def text() -> str:
        lines = [f"{f.subject}: {f.message}" for f in verdict.findings]
        word = "intact" if verdict.ok else "ALTERED"
        chains = "chain" if verdict.chains == 1 else "chains"
        if verdict.ok and verdict.unproven:
            word = f"intact as far as the keys here can tell ({verdict.unproven} things are under other keys)"
        return "\n".join([*lines, f"{word}: {verdict.closings} closings in {verdict.chains} {chains}"])

    session.emit(
        "state-verify", lambda: {"ok": verdict.ok, "unproven": verdict.unproven, "findings": findings}, text
    )
    return 0 if verdict.ok else 1


def _verdict(session: Session) -> Any:
    """In a project's folder also against its cluster, if that can be asked."""
    tell = progress(session, "checked")
    if session.has_project():
        try:
            with session.project() as project:
                return project.verify(tell)
        except SurroundingsError as error:
            session.terminal.err(f"without the cluster: {error}")
    return session.api.verify_state(place(session), tell)


@state.command("info", cls=Command)
def info(session: Session) -> int:
    """Say where the database is, how big, under which schema and keys, and how much it holds."""
    found = session.api.state_info(place(session))
    content = {
        "state": found.place,
        "schema_version": found.schema,
        "bytes": found.size,
        "key_id": found.key_id or None,
        "older_key_ids": list(found.older_keys),
        "projects": found.projects,
        "oldest": found.oldest.isoformat() if found.oldest else None,
        "newest": found.newest.isoformat() if found.newest else None,
        "rows": dict(found.counts),
        "blobs_by_key_id": {name or "plain": count for name, count in found.blob_keys.items()},
    }

    def text() -> str:
        rows = [(name, value) for name, value in content.items() if value and not isinstance(value, dict)]
        rows += [(name.replace("_", " "), count) for name, count in found.counts.items()]
        return "\n".join(
            f"{name:<20}{', '.join(value) if isinstance(value, list) else value}" for name, value in rows
        )

    session.emit("state-info", lambda: content, text)
    return 0


@state.command("prune", cls=Command)
@click.option("--keep", type=click.IntRange(1), metavar="N", help="Keep the newest N of each project and cluster.")
@click.option("--older-than", metavar="90d", help="Remove only what is older (a duration or a date).")
def prune(session: Session, keep: int | None, older_than: str | None) -> int:
    """Forget old deployments, after asking; --dry-run only tells which.

    What the inventory or a rollback of a kept deployment needs stays. The chain of closings stays provable.
    """
    if keep is None and older_than is None:
        raise UsageError("say what may go", hint="--keep 50 or --older-than 90d, or both")
    rule: dict[str, Any] = {"keep": keep, "before": since(older_than) if older_than else None}
    where = place(session)
    planned = session.api.prune_state(where, dry_run=True, **rule)
    if session.options.dry_run or not planned.removed:
        session.emit("state-prune", lambda: _pruned(planned, dry=True), lambda: _prune_text(planned, "would be "))
        return 0
    session.confirm(f"Forget {len(planned.removed)} deployments for good?")
    done = session.api.prune_state(where, **rule)
    session.emit("state-prune", lambda: _pruned(done, dry=False), lambda: _prune_text(done, ""))
    return 0


def _pruned(done: Any, *, dry: bool) -> dict[str, Any]:
    return {"dry_run": dry, "removed": list(done.removed), "still_needed": done.needed, "blobs": done.blobs}


def _prune_text(done: Any, word: str) -> str:
    lines = [f"{len(done.removed)} deployments {word}forgotten, {done.needed} old ones are still needed"]
    if done.blobs_kept:
        lines.append(f"their contents stay: {done.blobs_kept}")
    return "\n".join(lines)


@state.command("rekey", cls=Command)
def rekey(session: Session) -> int:
    """Encrypt everything under a new key: the first of SBKUBE_STATE_KEY=NEW,OLD, else a new one for the key file.

    History stays provable, and needs only the new key from then on. Backups and exports made before need the old
    one.
    """
    session.confirm("Encrypt everything under a new key?")
    done = session.api.rekey_state(place(session))
    content = {"key_id": done.key_id, "blobs": done.blobs, "chains": done.chains}

    def text() -> str:
        if not done.blobs and not done.chains:
            return (
                f"everything is under the key {done.key_id} already; put a new key first: SBKUBE_STATE_KEY=NEW,OLD"
            )
        tail = f"\nthe old key is in {done.retired}: older backups and exports need it" if done.retired else ""
        return f"{done.blobs} contents are encrypted under the key {done.key_id} now{tail}"

    session.emit("state-rekey", lambda: content | ({"retired": str(done.retired)} if done.retired else {}), text)
    return 0


@state.command("rebuild", cls=Command)
@click.argument("target", required=False)
def rebuild(session: Session, target: str | None) -> int:
    """Find by their labels what a project has in its cluster, and record it, after asking.

    For when the database was lost, or is older than the cluster. Changes nothing in the cluster. Prune, delete and
    rollback go on from what is recorded here.
    """
    with session.project(target) as project:
        found = project.find()
        content = _found(found)
        if session.human:
            session.say("\n".join(_found_lines(found)))
        if session.options.dry_run or not found.apps:
            session.emit("state-rebuild", lambda: content | {"dry_run": True}, lambda: "nothing was recorded")
            return 0
        session.confirm(f"Record {found.objects} objects as what {project.config.name} has deployed?")
        made = project.rebuild(found, arguments(session))
    content |= {"dry_run": False, "deployment_id": made.deployment_id}
    session.emit("state-rebuild", lambda: content, lambda: f"recorded as {made.deployment_id}")
    return 0


def _found(found: Any) -> dict[str, Any]:
    return {
        "apps": [
            {
                "name": app.name,
                "type": app.type,
                "release": f"{app.release.namespace}/{app.release.name}" if app.release else None,
                "objects": [item.key.to_json() for item in app.objects],
            }
            for app in found.apps
        ],
        "left_out": [{**key.to_json(), "reason": reason} for key, reason in found.left_out],
        "unseen": list(found.unseen),
    }


def _found_lines(found: Any) -> list[str]:
    lines = []
    for app in found.apps:
        release = f", release {app.release.name} revision {app.release.revision}" if app.release else ""
        lines.append(f"{app.name} ({app.type}{release})")
        lines += [f"  {item.key}" for item in app.objects]
    lines += [f"left out: {key}: {reason}" for key, reason in found.left_out]
    if found.unseen:
        lines.append(f"not allowed to list: {', '.join(found.unseen)}")
    return lines or ["nothing in the cluster carries this project's labels"]


@state.command("key", cls=Command)
def key(session: Session) -> int:
    """Print a new key for SBKUBE_STATE_KEY (base64 of 32 random bytes). Keep it: it opens images of Secrets."""
    text = session.api.new_state_key()
    session.emit("state-key", lambda: {"key": text}, lambda: text, raw=True)
    return 0


@state.command("export", cls=Command)
@click.argument("path", metavar="FILE")
def export(session: Session, path: str) -> int:
    """Write the whole database into one new file, for import into any other. Secrets in it stay encrypted."""
    done = session.api.export_state(path, place(session), progress(session, "written"))
    content = {
        "file": str(done.file),
        "deployments": done.deployments,
        "closings": done.closings,
        "blobs": done.blobs,
    }
    session.emit("state-export", lambda: content, lambda: f"{done.deployments} deployments are in {done.file}")
    return 0


@state.command("import", cls=Command)
@click.argument("path", metavar="FILE")
def import_(session: Session, path: str) -> int:
    """Merge an exported database into this one; or record the outcomes that a run with exit code 6 left in FILE.

    Importing a file again changes nothing. A damaged file is refused as a whole.
    """
    done = session.api.import_state(path, place(session), progress(session, "read"))
    if hasattr(done, "settled"):
        content = {"deployment": done.deployment, "settled": done.settled, "known": done.known, "open": done.left}
        text = f"{done.deployment}: {done.settled} outcomes recorded, {done.known} were known already"
        if done.left:
            text += f"; {done.left} are still open: run `sbkube recover`"
        session.emit("state-import", lambda: content, lambda: text)
        return 0
    session.emit("state-import", lambda: _imported(done), lambda: "\n".join(_import_lines(done)))
    return 0


def _imported(done: Any) -> dict[str, Any]:
    merged = done.deployments
    return {
        "added": merged.added,
        "replaced": merged.replaced,
        "known": merged.known,
        "pruned": merged.pruned,
        "conflicts": list(merged.conflicts),
        "missing_keys": list(done.foreign_keys),
    }


def _import_lines(done: Any) -> list[str]:
    merged = done.deployments
    lines = [f"{merged.added} deployments added, {merged.replaced} renewed, {merged.known} known already"]
    if merged.pruned:
        lines.append(f"{merged.pruned} were pruned here and stay so")
    lines += [f"{name} is recorded differently in both; ours was kept" for name in merged.conflicts]
    for name in done.foreign_keys:
        lines.append(f"some of it is encrypted with the key {name}: put that key into SBKUBE_STATE_KEY too")
    return lines
