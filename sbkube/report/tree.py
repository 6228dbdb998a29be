"""A run as a tree of apps and what each waits for, in no more lines than there are.

Where all apps fit, each keeps its line, in the order of the plan. Where they do not, those that have ended well
and those whose turn has not come fold into a line each; what is left goes to what failed and what goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sbkube.models.deployment_state import DeploymentStatus
from sbkube.report.board import AppLine
from sbkube.report.ink import Ink
from sbkube.report.layout import between, clip, plural, visible
from sbkube.report.theme import DEPLOYMENTS

_SPIN = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_WELL = DeploymentStatus.SUCCESS


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment: what time it is, how much room there is, and how long the run has been going on."""

    now: datetime
    began: datetime
    width: int
    height: int
    ink: Ink

    @property
    def spinner(self) -> str:
        """The same for all lines, so that they turn together."""
        return self.ink.paint(spinner((self.now - self.began).total_seconds()), "cyan")


def spinner(seconds: float) -> str:
    """The sign of something that goes on."""
    return _SPIN[int(seconds * 5) % len(_SPIN)]


def tree(apps: Sequence[AppLine], frame: Frame) -> list[str]:
    """The lines of this moment, at most `frame.height`."""
    if frame.height < 2:
        return [_head(apps, frame)]
    room = frame.height - 1
    chosen = list(apps) if len(apps) <= room else _chosen(apps, room)
    shown = [app for app in chosen if isinstance(app, AppLine)]
    spare = room - len(chosen)
    names = min(max((visible(app.name) for app in shown), default=0), frame.width // 3)
    open_apps = {app.name for app in apps if not app.ended}
    lines = [_head(apps, frame)]
    busy = sum(len(app.waits) > 1 for app in shown)
    for app in chosen:
        if isinstance(app, str):
            lines.append(frame.ink.dim(clip(app, frame.width)))
            continue
        lines.append(_line(app, names, open_apps, frame))
        if len(app.waits) > 1 and spare > 0:
            below = _waits(app, max(1, spare // busy), frame)
            spare, busy = spare - len(below), busy - 1
            lines += below
    return lines


def _head(apps: Sequence[AppLine], frame: Frame) -> str:
    ended = sum(app.ended is not None for app in apps)
    done, total = sum(app.done for app in apps), sum(app.total for app in apps)
    failed = sum(_failed(app) for app in apps)
    parts = [f"{ended} of {plural(len(apps), 'app')}"]
    parts += [f"{min(done, total)} of {plural(total, 'operation')}"] if total else []
    parts += [f"{failed} failed"] if failed else []
    return _ends(f"{frame.spinner} ", between(frame.began, frame.now), frame, "  ".join(parts))


def _failed(app: AppLine) -> bool:
    return app.ended is not None and app.status not in (_WELL, DeploymentStatus.PENDING)


def _chosen(apps: Sequence[AppLine], room: int) -> list[AppLine | str]:
    """What is shown one by one, and what is folded, in no more lines than `room`."""
    failed = [app for app in apps if _failed(app)]
    active = [app for app in apps if app.started and not app.ended]
    waiting = [app for app in apps if not app.started and not app.ended]
    well = _fold([app for app in apps if app.ended and app.status == _WELL], "✓", "done")
    idle = _fold([app for app in apps if app.ended and app.status == DeploymentStatus.PENDING], "-", "not started")
    later = _fold(waiting, "·", _why(waiting, active))
    left = max(0, room - sum(map(bool, (well, idle, later))))
    bad = _some(failed, max(left - len(active), left // 3), "failed")
    going = _some(active, left - len(bad), "at work")
    return [line for line in (*bad, well, *going, idle, later) if line][:room]


def _fold(apps: Sequence[AppLine], mark: str, what: str) -> str:
    return f"{mark} {plural(len(apps), 'app')} {what}" if apps else ""


def _why(waiting: Sequence[AppLine], active: Sequence[AppLine]) -> str:
    """`to come`, and after which of those at work."""
    wanted = [one.name for one in active if any(one.name in app.after for app in waiting)]
    more = f" and {len(wanted) - 1} more" if len(wanted) > 1 else ""
    return f"to come, after {wanted[0]}{more}" if wanted else "to come"


def _some(apps: Sequence[AppLine], room: int, what: str) -> list[AppLine | str]:
    """As many as there is room for, and a line that counts the others."""
    if len(apps) <= room:
        return list(apps)
    shown = list(apps[: max(0, room - 1)])
    return [*shown, f"  … and {len(apps) - len(shown)} more {what}"] if room > 0 else []


def _line(app: AppLine, names: int, open_apps: set[str], frame: Frame) -> str:
    name = clip(app.name, names)
    name = frame.ink.bold(name) + " " * (names - visible(name))
    if app.ended:
        status = DeploymentStatus(app.status)
        text = app.message if _failed(app) else "done" if status is _WELL else "not started"
        took = between(app.started, app.ended)
        return _ends(f"{frame.ink.paint(*DEPLOYMENTS[status])} {name}  ", took, frame, _first(text))
    if app.started:
        return _ends(f"{frame.spinner} {name}  ", between(app.started, frame.now), frame, _doing(app))
    before = [one for one in app.after if one in open_apps]
    text = f"after {', '.join(before)}" if before else "to come"
    return _ends(f"{frame.ink.dim('·')} {name}  ", "", frame, text)


def _doing(app: AppLine) -> str:
    """What goes on in an app, in a few words."""
    if len(app.waits) > 1:
        return f"waiting for {len(app.waits)} objects"
    if app.waits:
        key, why = next(iter(app.waits.items()))
        return f"{_first(why)}: {_short(key)}"  # where it is cut, the reason is still read
    count = f"{app.done} of {app.total}: " if app.total > 1 else ""
    if not app.doing:
        return f"{count.rstrip(': ')}" or "starting"
    more = f" and {len(app.doing) - 1} more" if len(app.doing) > 1 else ""
    return f"{count}{app.doing[0]}{more}"


def _waits(app: AppLine, room: int, frame: Frame) -> list[str]:
    """The objects that an app waits for, below it."""
    items = [_waited(_short(key), _first(why), frame) for key, why in app.waits.items()]
    if len(items) > room:
        items = [*items[: room - 1], frame.ink.dim(f"… and {len(items) - room + 1} more")]
    return [clip(f"  {'└' if at == len(items) - 1 else '├'} {item}", frame.width) for at, item in enumerate(items)]


def _waited(name: str, why: str, frame: Frame) -> str:
    """An object and why it is waited for; on a narrow terminal the name is cut, not the reason."""
    return f"{clip(name, max(8, frame.width - 6 - visible(why)))}  {frame.ink.dim(why)}"


def _short(key: str) -> str:
    """An object without its namespace, which its app tells."""
    return key.partition(" in ")[0]


def _first(text: str) -> str:
    return text.strip().partition("\n")[0]


def _ends(left: str, right: str, frame: Frame, text: str = "") -> str:
    """Both ends of a line, and between them a text, cut where it meets the right end."""
    room = frame.width - visible(left) - (visible(right) + 2 if right else 0)
    left += frame.ink.dim(clip(text, max(0, room)))
    if not right:
        return left
    return left + " " * (frame.width - visible(left) - visible(right)) + frame.ink.dim(right)
