"""Commands of a project: run on this machine, with the cluster at hand and without our own secrets."""

from __future__ import annotations

import shutil
import ssl
import tempfile
import urllib.error
import urllib.request
import weakref
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path

from sbkube._version import __version__
from sbkube.edges.process import Command as Program
from sbkube.edges.process import Completed, run
from sbkube.edges.proxies import from_environment
from sbkube.errors import ToolMissing
from sbkube.models.command import Command, Ran
from sbkube.models.source import shown
from sbkube.ports import CancelToken

KEPT_BACK = ("SBKUBE_STATE_KEY", "SBKUBE_STATE_URL")
LONGEST = 64 * 1024  # characters of output that are kept: the end says most
OFF = frozenset({"false", "0", "no", "off"})


class LocalCommands:
    """The CommandPort. Every command gets the effective cluster as the current context of a file of its own."""

    def __init__(
        self,
        kubeconfig: Callable[[], str],
        context: Callable[[], str],
        environ: Mapping[str, str],
        passwords: Collection[str] = (),
    ) -> None:
        """`kubeconfig` gives its text, `context` its name; variables that hold one of `passwords` stay here."""
        self._text = kubeconfig
        self._context = context
        hidden = {password for password in passwords if password}
        self._environ = {k: v for k, v in environ.items() if k not in KEPT_BACK and v not in hidden}
        self.allowed = environ.get("SBKUBE_ALLOW_EXEC", "").lower() not in OFF

    @cached_property
    def _kubeconfig(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="sbkube-command-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = folder / "kubeconfig"
        path.touch(0o600)
        path.write_text(self._text())
        return path

    def run(self, command: Command, facts: Mapping[str, str], cancel: CancelToken) -> Ran:
        """Give the text to `sh -c` in the project's folder; `facts` are SBKUBE_* variables of this run."""
        place = str(self._kubeconfig)
        own = {
            "KUBECONFIG": place,
            "SBKUBE_KUBECONFIG": place,
            "SBKUBE_CONTEXT": self._context(),
            "SBKUBE_VERSION": __version__,
            "SBKUBE_NAMESPACE": command.namespace,
            "SBKUBE_HOOK_PHASE": command.hook,
        }
        env = {**self._environ, **command.env, **own, **facts}
        program = Program(
            ("sh", "-c", f"exec 2>&1\n{command.text}"),
            env=env,
            folder=Path(command.folder),
            timeout=command.timeout,
            install_hint="commands of a project want a POSIX shell",
        )
        try:
            done = run(program, cancel)
        except ToolMissing as error:
            return Ran(127, error=error.message)
        return Ran(done.code, _end_of(done.output), _complaint(command, done))

    def ask(self, command: Command, cancel: CancelToken) -> Ran:
        """Send one HTTP request; what comes back counts by its status."""
        proxy = from_environment(command.text, self._environ)
        scheme = command.text.partition(":")[0]
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({scheme: proxy} if proxy else {}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        )
        headers = {"User-Agent": f"sbkube/{__version__}"}
        request = urllib.request.Request(command.text, method=command.method, headers=headers)
        patience = min(command.timeout, 30.0)
        try:
            with opener.open(request, timeout=patience) as answer:
                code, body = answer.status, answer.read(LONGEST)
        except urllib.error.HTTPError as error:
            code, body = error.code, error.read(LONGEST)
        except OSError as error:
            return Ran(0, error=f"{shown(command.text)} does not answer: {getattr(error, 'reason', error)}")
        wanted = " or ".join(command.expected)
        wrong = "" if str(code) in command.expected else f"{shown(command.text)} answers {code}, not {wanted}"
        return Ran(code, body.decode("utf-8", "replace"), wrong)


def _end_of(output: str) -> str:
    return output if len(output) <= LONGEST else f"(the first part is left out)\n{output[-LONGEST:]}"


def _complaint(command: Command, done: Completed) -> str:
    if done.ended == "timeout":
        return f"it did not end within {command.timeout:g} s and was stopped"
    if done.ended == "cancelled":
        return "it was stopped"
    if done.code:
        return f"it ended with exit code {done.code}" if done.code > 0 else f"signal {-done.code} ended it"
    missing = [text for text in command.expected if text not in done.output]
    return f'its output does not hold "{missing[0]}"' if missing else ""
