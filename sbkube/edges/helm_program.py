"""Helm as a program, where the SDK cannot be loaded or the user prefers it.

Values go in by standard input and the kubeconfig by a private file, so neither shows in a process list. Settings
of the user's own `helm` (HELM_NAMESPACE, HELM_KUBECONTEXT, HELM_DRIVER …) are taken out: the project decides.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import tarfile
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sbkube.edges import helm_errors, helm_rendering, helm_storage
from sbkube.edges.helm_storage import StoredReleases
from sbkube.edges.process import Command, Completed, run
from sbkube.errors import Interrupted, RenderError, SbkubeError, ToolMissing
from sbkube.models.release import ReleaseRecord, ReleaseSpec, RenderedChart
from sbkube.ports import CancelToken, ClusterReader

HISTORY = 10  # revisions that Helm keeps of a release: its own default, whatever HELM_MAX_HISTORY says
SLACK = 60.0  # seconds over the timeout before we end the program ourselves
_OWN = ("HELM_NAMESPACE", "HELM_KUBE", "HELM_DRIVER", "HELM_DEBUG", "HELM_MAX_HISTORY", "HELM_QPS", "HELM_BURST")
# Reasons why Helm cannot simulate on the server what will work when it is really done.
_NOT_YET = re.compile(r"no matches for kind|unable to build kubernetes objects|another operation .* in progress")

Translate = Callable[[str], SbkubeError]


class ProgramHelm(StoredReleases):
    """HelmPort on the helm program (version 4). Safe for use from several threads."""

    name = "program"

    def __init__(
        self,
        binary: Path,
        kubeconfig: str,
        *,
        environ: Mapping[str, str],
        cluster: ClusterReader | None = None,
        reason: str = "",
    ) -> None:
        """`kubeconfig` is its text; without a cluster only `render` works. Raises ToolMissing for Helm 3."""
        self._binary = binary
        self._environ = {k: v for k, v in environ.items() if k != "KUBECONFIG" and not k.startswith(_OWN)}
        self._environ |= {"HELM_DRIVER": "secret", "HELM_MAX_HISTORY": str(HISTORY)}
        super().__init__(cluster)
        self.version = self._ask_version()
        self.reason = f"{reason}; {binary} is Helm {self.version}" if reason else f"{binary}, Helm {self.version}"
        folder = Path(tempfile.mkdtemp(prefix="sbkube-helm-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._kubeconfig = folder / "kubeconfig"
        self._kubeconfig.touch(0o600)
        self._kubeconfig.write_text(kubeconfig)

    def render(self, spec: ReleaseSpec, *, revision: int, upgrade: bool) -> RenderedChart:
        """Render by a dry run on the server, or without one where there is no cluster.

        The server's dry run refuses kinds whose CRD is not there yet; such a chart is rendered without `lookup`.
        The revision is the one that Helm would give, which is `revision` unless somebody else is at work.
        """
        subject = f"{spec.namespace}/{spec.name}"

        def translate(text: str) -> SbkubeError:
            return helm_errors.rendering_error(text, subject, spec.chart)

        crds = self._crds(spec, translate)
        if self._cluster is not None:
            verb = "upgrade" if upgrade else "install"
            done = self._helm(spec, verb, ("--dry-run=server", "--output=json", *_APPLYING, "--take-ownership"))
            if done.ok:
                return _simulated(done.output, crds)
            if not _NOT_YET.search(done.stderr.decode("utf-8", "replace")):
                raise translate(_said(done))
        done = self._helm(spec, "template", self._capabilities() + (("--is-upgrade",) if upgrade else ()))
        if not done.ok:
            raise translate(_said(done))
        rendered = helm_rendering.assemble(helm_rendering.split_sources(done.output), "", crds)
        return RenderedChart(rendered.manifest, rendered.hooks, crds, self._notes(spec))

    def install(self, spec: ReleaseSpec, cancel: CancelToken) -> ReleaseRecord:
        """Install with server-side apply; raises HelmError or Interrupted."""
        own = ("--server-side=true", *(("--replace",) if spec.replace else ()))
        return self._act(spec, "install", (*own, *_applying(spec)), cancel)

    def upgrade(self, spec: ReleaseSpec, cancel: CancelToken) -> ReleaseRecord:
        """Upgrade with server-side apply; what Helm 3 owned by Update, Helm migrates first."""
        own = ("--server-side=true", "--reset-values", f"--history-max={HISTORY}")
        return self._act(spec, "upgrade", (*own, *_applying(spec)), cancel)

    def rollback(self, spec: ReleaseSpec, revision: int, cancel: CancelToken) -> ReleaseRecord:
        """Back to a revision; once begun it is not cancelled, because Helm would leave it pending."""
        _refuse_cancelled(spec, cancel)
        argv = ["rollback", spec.name, str(revision), f"--namespace={spec.namespace}", "--server-side=auto"]
        argv += [f"--history-max={HISTORY}", *_waiting(spec.timeout, spec.wait), *_jobs(spec)]
        argv += ["--force-conflicts"] if spec.force_conflicts else []
        argv += _hooks(spec.disable_hooks)
        done = self._run(argv, timeout=2 * spec.timeout + SLACK)
        _refuse_failed(done, lambda text: helm_errors.action_error(text, f"{spec.namespace}/{spec.name}"))
        return self._stored(spec.name, spec.namespace)

    def uninstall(
        self, name: str, namespace: str, *, timeout: float, wait: bool, disable_hooks: bool = False
    ) -> None:
        """Remove the release and its objects; a missing one is no error."""
        argv = ["uninstall", name, f"--namespace={namespace}", "--ignore-not-found", *_waiting(timeout, wait)]
        argv += _hooks(disable_hooks)
        done = self._run(argv, timeout=2 * timeout + SLACK)
        _refuse_failed(done, lambda text: helm_errors.action_error(text, f"{namespace}/{name}"))

    def _act(self, spec: ReleaseSpec, verb: str, options: tuple[str, ...], cancel: CancelToken) -> ReleaseRecord:
        _refuse_cancelled(spec, cancel)
        subject = f"{spec.namespace}/{spec.name}"
        options = ("--output=json", *options, *_waiting(spec.timeout, spec.wait), *_jobs(spec))
        done = self._helm(spec, verb, options, cancel)
        if done.ended == "cancelled" and not done.code == 0:
            raise Interrupted("cancelled while Helm was at work; the release is marked as failed", subject=subject)
        if done.code != 0 or done.ended == "timeout":
            raise helm_errors.action_error(_said(done), subject, spec.chart)
        return self._stored(spec.name, spec.namespace, _revision(done.output))

    def _helm(
        self, spec: ReleaseSpec, verb: str, options: tuple[str, ...], cancel: CancelToken | None = None
    ) -> Completed:
        argv = [verb, spec.name, _path(spec), f"--namespace={spec.namespace}", "--values=-", *options]
        values = json.dumps(dict(spec.values)).encode()
        return self._run(argv, stdin=values, timeout=2 * spec.timeout + SLACK, cancel=cancel)

    def _run(
        self, argv: list[str], *, stdin: bytes = b"", timeout: float = 60.0, cancel: CancelToken | None = None
    ) -> Completed:
        # Throttling off: the defaults are made for a person at a keyboard.
        flags = (f"--kubeconfig={self._kubeconfig}", "--qps=10000", "--burst-limit=10000")
        command = (str(self._binary), *argv, *flags)
        return run(Command(command, env=self._environ, stdin=stdin, timeout=timeout), cancel)

    def _ask_version(self) -> str:
        command = Command((str(self._binary), "version", "--template={{.Version}}"), env=self._environ, timeout=30)
        done = run(command)
        found = re.match(r"v(\d+)\.\d+\.\d+\S*", done.output.strip())
        if not done.ok or found is None:
            raise ToolMissing(f"{self._binary} does not tell its version: {done.complaint}", hint="is it Helm?")
        if int(found[1]) < 4:
            raise ToolMissing(f"{self._binary} is Helm {found[0]}; Helm 4 is needed", hint="install helm 4")
        return found[0]

    def _capabilities(self) -> tuple[str, ...]:
        if self._cluster is None:
            return ()
        versions = ",".join(self._cluster.api_versions())
        return (f"--kube-version={self._cluster.info().version}", f"--api-versions={versions}")

    def _crds(self, spec: ReleaseSpec, translate: Translate) -> tuple[str, ...]:
        if not _mentions(Path(_path(spec)), "/crds/"):
            return ()
        done = self._run(["show", "crds", _path(spec)])
        _refuse_failed(done, translate)
        found = [{"filename": f"{spec.chart_name or spec.name}/crds", "data": done.output}]
        return helm_rendering.crd_documents(found)

    def _notes(self, spec: ReleaseSpec) -> str:
        """Notes cost a second run, because `template` leaves them out; without them the chart still renders."""
        if not _mentions(Path(_path(spec)), f"templates/{helm_rendering.NOTES}"):
            return ""
        done = self._helm(spec, "install", ("--dry-run=client", "--output=json"))
        return _simulated(done.output, ()).notes if done.ok else ""


_APPLYING = ("--skip-crds", "--disable-openapi-validation")


def _applying(spec: ReleaseSpec) -> tuple[str, ...]:
    labels = ",".join(f"{key}={value}" for key, value in spec.labels.items())
    return (
        *_APPLYING,
        *_hooks(spec.disable_hooks),
        *(("--rollback-on-failure",) if spec.atomic else ()),
        *(("--force-conflicts",) if spec.force_conflicts else ()),
        *(("--take-ownership",) if spec.take_ownership else ()),
        *((f"--labels={labels}",) if labels else ()),
    )


def _hooks(disabled: bool) -> tuple[str, ...]:
    return ("--no-hooks",) if disabled else ()


def _waiting(timeout: float, wait: bool) -> tuple[str, ...]:
    return (f"--timeout={max(1, math.ceil(timeout))}s", f"--wait={'watcher' if wait else 'hookOnly'}")


def _jobs(spec: ReleaseSpec) -> tuple[str, ...]:
    return ("--wait-for-jobs",) if spec.wait else ()


def _path(spec: ReleaseSpec) -> str:
    """Absolute, so that Helm never takes it for the name of a chart in a repository."""
    path = Path(spec.chart).absolute()
    if not path.exists():
        subject = f"{spec.namespace}/{spec.name}"
        raise RenderError(f"the chart cannot be read: {spec.chart} does not exist", subject=subject)
    return str(path)


def _mentions(chart: Path, part: str) -> bool:
    """Whether a file of the chart or of its subcharts, packed or not, has `part` in its path."""
    if chart.is_dir():
        inside = (p for p in chart.rglob("*") if p.is_file())
        return any(part in f"/{p.relative_to(chart).as_posix()}" or _packed_with(p, part) for p in inside)
    return _packed_with(chart, part)


def _packed_with(archive: Path, part: str) -> bool:
    if archive.suffix not in {".tgz", ".gz"}:
        return False
    try:
        with tarfile.open(archive) as tar:
            names = tar.getnames()
    except (OSError, tarfile.TarError):
        return True  # let Helm say what is wrong with it
    return any(part in name or name.endswith(".tgz") for name in names)


def _simulated(output: str, crds: tuple[str, ...]) -> RenderedChart:
    """Manifest, hooks and notes of a dry run."""
    release: Mapping[str, Any] = json.loads(output)
    hooks = helm_storage.hooks_of(release.get("hooks") or ())
    notes = str((release.get("info") or {}).get("notes") or "")
    return RenderedChart(str(release.get("manifest") or ""), hooks, crds, notes)


def _revision(output: str) -> int:
    try:
        return int(json.loads(output).get("version") or 0)
    except (ValueError, AttributeError):
        return 0  # the newest stored revision is read instead


def _said(done: Completed) -> str:
    if done.ended == "timeout":
        return "timed out waiting for the helm program; it was stopped"
    return done.stderr.decode("utf-8", "replace").strip() or f"helm ended with code {done.code} and said nothing"


def _refuse_failed(done: Completed, translate: Translate) -> None:
    if not done.ok:
        raise translate(_said(done))


def _refuse_cancelled(spec: ReleaseSpec, cancel: CancelToken) -> None:
    if cancel.is_set():
        raise Interrupted("cancelled before Helm began", subject=f"{spec.namespace}/{spec.name}")
