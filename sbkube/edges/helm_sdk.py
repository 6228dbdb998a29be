"""Helm in this process: the Go SDK as a C library, through `helm_python`.

The package is young and its Python side passes only some of the options, so we call its C functions with JSON
options ourselves. What matters here:

- Every call runs in a thread of its own: the caller watches the cancel token meanwhile and stays interruptible.
- Every call has its own configuration and its own chart: Helm changes a loaded chart while it resolves conditions
  and aliases of dependencies, and keeps the cluster's capabilities in the configuration. Both cost about 1 ms.
- Two of Helm's global variables are set once after loading (`_adjust`), because it has no option for them.
"""

from __future__ import annotations

import ctypes
import json
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sbkube.edges import helm_errors, helm_rendering
from sbkube.edges.helm_storage import StoredReleases
from sbkube.errors import HelmError, Interrupted, RenderError, SbkubeError, ToolMissing
from sbkube.models.release import ReleaseRecord, ReleaseSpec, RenderedChart
from sbkube.ports import CancelToken, ClusterReader

MANAGER = b"helm"
HISTORY = 10  # revisions that Helm keeps of a release, as its program does
UNTHROTTLED = {"qps": 10_000.0, "burst_limit": 10_000}
POLL = 0.05  # seconds between two looks at the cancel token
PATIENCE = 30.0  # seconds that a cancelled action gets to record its failure

T = TypeVar("T")
Translate = Callable[[str, str, str], SbkubeError]  # text, subject, chart


class _Slice(ctypes.Structure):
    """Go's string (without `room`) and slice headers."""

    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_int64), ("room", ctypes.c_int64)]


@dataclass(frozen=True, slots=True)
class _Library:
    """The loaded package and what had to be learned from it."""

    package: Any
    native: Any
    known_versions: tuple[str, ...]


@cache
def load() -> _Library:
    """Load the library once; raises ToolMissing with the reason when this machine cannot."""
    try:
        import helm_python
        from helm_python import _native
    except (ImportError, OSError) as error:
        raise _not_loadable(str(error)) from error
    except Exception as error:  # its own HelmLibraryError cannot be named before the import has worked
        raise _not_loadable(str(error)) from error
    return _Library(helm_python, _native, _adjust(_native))


def _not_loadable(reason: str) -> ToolMissing:
    first = reason.strip().splitlines()[0] if reason.strip() else "unknown reason"
    hint = "install helm 4 (https://helm.sh/docs/intro/install/) or use Python on glibc 2.34 or newer"
    return ToolMissing(f"the Helm SDK cannot be loaded: {first}", hint=hint)


def _adjust(native: Any) -> tuple[str, ...]:
    """Set the field manager, and take the API versions that Helm assumes out of rendering; returns those.

    Helm names the field manager after the running program (`python3`), so the SDK and the helm program would
    conflict with each other over every field. And its renderer adds all versions that client-go was built with to
    those we name, so that a chart would see APIs that the cluster no longer serves.
    """
    prefix = "helm.sh/helm/v4/pkg/"
    try:
        manager = _Slice.in_dll(native.lib, f"{prefix}kube.ManagedFieldsManager")
        versions = _Slice.in_dll(native.lib, f"{prefix}chart/common.DefaultVersionSet")
        capabilities = ctypes.c_void_p.in_dll(native.lib, f"{prefix}chart/common.DefaultCapabilities").value
    except ValueError as error:
        raise _not_loadable("it hides the variable that names the field manager") from error
    _keep = ctypes.create_string_buffer(MANAGER)
    _ALIVE.append(_keep)
    text = (ctypes.c_uint64 * 2).from_address(ctypes.addressof(manager))
    text[0], text[1] = ctypes.addressof(_keep), len(MANAGER)
    known = _strings(versions)
    if capabilities:
        _forget(capabilities, versions)
    return known


_ALIVE: list[Any] = []  # memory that the library points to


def _strings(found: _Slice) -> tuple[str, ...]:
    if not found.start or not 0 < found.length < 1000:
        return ()
    words = (ctypes.c_uint64 * (2 * found.length)).from_address(found.start)
    return tuple(ctypes.string_at(words[2 * i], words[2 * i + 1]).decode() for i in range(found.length))


def _forget(capabilities: int, versions: _Slice) -> None:
    """Empty `DefaultCapabilities.APIVersions`; nothing happens where the structure is not the one we know."""
    words = (ctypes.c_uint64 * 11).from_address(capabilities)  # four strings, then the slice
    if (words[8], words[9], words[10]) == (versions.start, versions.length, versions.room):
        words[9] = words[10] = 0


@dataclass
class _Call:
    """One call in its thread."""

    work: Callable[[], Any]
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.work()
        except BaseException as error:  # noqa: BLE001 — handed to the caller's thread, which raises it
            self.error = error
        finally:
            self.done.set()


class SdkHelm(StoredReleases):
    """HelmPort on the library. Safe for use from several threads; never fork after it was made."""

    name = "sdk"

    def __init__(self, kubeconfig: str, *, cluster: ClusterReader | None = None, reason: str = "") -> None:
        """`kubeconfig` is its text; without a cluster only `render` works. Raises ToolMissing."""
        self._library = load()
        self._kubeconfig = kubeconfig
        super().__init__(cluster)
        self.version = str(self._library.native.helm_sdk_version())
        self.reason = reason or f"in process, Helm {self.version}"

    def render(self, spec: ReleaseSpec, *, revision: int, upgrade: bool) -> RenderedChart:
        """Render with the cluster's versions and `lookup`, or with Helm's defaults where there is no cluster."""
        options = self._capabilities() | {
            "name": spec.name,
            "namespace": spec.namespace,
            "revision": revision,
            "is_install": not upgrade,
            "is_upgrade": upgrade,
        }
        subject = f"{spec.namespace}/{spec.name}"

        def work() -> RenderedChart:
            with self._chart(spec) as chart:
                facts = chart.metadata
                _check_dependencies(spec, facts, chart.dependencies)
                crds = helm_rendering.crd_documents(chart.crds)
                if facts.get("kubeVersion"):
                    self._check_kube_version(spec, options)
                files = self._rendered(chart, spec, options)
                return helm_rendering.assemble(files, str(facts.get("name", "")), crds)

        return self._run(work, helm_errors.rendering_error, subject, spec.chart)

    def install(self, spec: ReleaseSpec, cancel: CancelToken) -> ReleaseRecord:
        """Install with server-side apply; raises HelmError or Interrupted."""
        own = {"server_side_apply": True, "replace": spec.replace}
        return self._act("helm_install", spec, cancel, own)

    def upgrade(self, spec: ReleaseSpec, cancel: CancelToken) -> ReleaseRecord:
        """Upgrade with server-side apply; what Helm 3 owned by Update, Helm migrates first."""
        # Without this Helm merges the old values into ours where ours are empty.
        own = {"server_side_apply": "true", "max_history": HISTORY, "reset_values": True}
        return self._act("helm_upgrade", spec, cancel, own)

    def rollback(self, spec: ReleaseSpec, revision: int, cancel: CancelToken) -> ReleaseRecord:
        """Back to a revision; once begun it cannot be cancelled."""
        if cancel.is_set():
            raise _interrupted(spec)
        options = _waiting(spec) | {
            "version": revision,
            "server_side_apply": "auto",
            "force_conflicts": spec.force_conflicts,
            "max_history": HISTORY,
            "disable_hooks": spec.disable_hooks,
        }
        native = self._library.native

        def work() -> None:
            with self._config(spec.namespace) as config:
                native.call_status("helm_rollback", config._raw(), spec.name, json.dumps(options))

        self._run(work, helm_errors.action_error, f"{spec.namespace}/{spec.name}")
        return self._stored(spec.name, spec.namespace)

    def uninstall(
        self, name: str, namespace: str, *, timeout: float, wait: bool, disable_hooks: bool = False
    ) -> None:
        """Remove the release and its objects; a missing one is no error."""
        # The library crashes on a missing release when told to ignore that, so we look first.
        if self._cluster is not None and not self.history(name, namespace):
            return
        options = {
            "timeout_seconds": _seconds(timeout),
            "wait": "watcher" if wait else "hookOnly",
            "disable_hooks": disable_hooks,
        }
        native = self._library.native

        def work() -> None:
            try:
                with self._config(namespace) as config:
                    native.call_string("helm_uninstall", config._raw(), name, json.dumps(options))
            except self._library.package.HelmNotFoundError:
                return

        self._run(work, helm_errors.action_error, f"{namespace}/{name}")

    def _act(self, function: str, spec: ReleaseSpec, cancel: CancelToken, own: dict[str, Any]) -> ReleaseRecord:
        if cancel.is_set():
            raise _interrupted(spec)
        native, package = self._library.native, self._library.package
        options = json.dumps(_waiting(spec) | _applying(spec) | own)
        values = json.dumps(dict(spec.values))
        context = package.HelmContext()

        def work() -> Any:
            with self._config(spec.namespace) as config, self._chart(spec) as chart:
                _check_dependencies(spec, chart.metadata, chart.dependencies)
                handles = (config._raw(), context._raw(), chart._raw())
                return json.loads(native.call_string(function, *handles, None, spec.name, values, options))

        with context:
            subject = f"{spec.namespace}/{spec.name}"
            done = self._run(work, helm_errors.action_error, subject, spec.chart, _Stop(cancel, context.cancel))
        return self._stored(spec.name, spec.namespace, int(done["revision"]))

    def _rendered(self, chart: Any, spec: ReleaseSpec, options: Mapping[str, Any]) -> dict[str, str]:
        native, arguments = self._library.native, (json.dumps(dict(spec.values)), json.dumps(options))
        if self._cluster is None:
            text = native.call_string("helm_render", chart._raw(), *arguments)
        else:
            with self._config(spec.namespace) as config:
                text = native.call_string("helm_render_with_config", config._raw(), chart._raw(), *arguments)
        files: dict[str, str] = json.loads(text)
        return files

    def _check_kube_version(self, spec: ReleaseSpec, options: Mapping[str, Any]) -> None:
        """Rendering alone does not look at the chart's `kubeVersion`; a dry run without the cluster does."""
        chosen = {key: options[key] for key in ("kube_version", "api_versions") if key in options}
        native = self._library.native
        arguments = (json.dumps(dict(spec.values)), json.dumps({"dry_run": "client", **chosen}))
        with self._config(spec.namespace) as config, self._chart(spec) as chart:
            try:
                native.call_string(
                    "helm_install", config._raw(), native.HANDLE(0), chart._raw(), None, spec.name, *arguments
                )
            except self._library.package.HelmError as error:
                if "kubeVersion" in str(error):
                    raise

    def _capabilities(self) -> dict[str, Any]:
        if self._cluster is None:
            return {"api_versions": self._library.known_versions}
        return {"kube_version": self._cluster.info().version, "api_versions": self._cluster.api_versions()}

    def _config(self, namespace: str) -> Any:
        return self._library.package.Config(
            kubeconfig_content=self._kubeconfig or _NOWHERE,
            namespace=namespace,
            storage_driver="secret",
            **UNTHROTTLED,
        )

    def _chart(self, spec: ReleaseSpec) -> Any:
        return self._library.package.Chart.load(Path(spec.chart).absolute())

    def _run(
        self, work: Callable[[], T], translate: Translate, subject: str, chart: str = "", stop: _Stop | None = None
    ) -> T:
        """Run in a thread, translate the library's errors, cancel when told."""
        call = _Call(work)
        threading.Thread(target=call.run, name="helm", daemon=True).start()
        cancelled = stop.watch(call.done) if stop else call.done.wait() and False
        if not call.done.is_set():
            raise Interrupted(
                f"cancelled, but Helm did not stop within {PATIENCE:.0f} s; the release may stay pending",
                subject=subject,
            )
        if call.error is None:
            result: T = call.result
            return result
        if cancelled:
            message = "cancelled while Helm was at work; the release is marked as failed"
            raise Interrupted(message, subject=subject) from call.error
        if isinstance(call.error, self._library.package.HelmError):
            raise self._translated(call.error, translate, subject, chart) from call.error
        raise call.error

    def _translated(self, error: BaseException, translate: Translate, subject: str, chart: str) -> SbkubeError:
        package, text = self._library.package, str(error)
        if isinstance(error, package.HelmChartLoadError | package.HelmChartInvalidError):
            return RenderError(f"the chart cannot be read: {helm_errors.one_line(text)}", subject=subject)
        if isinstance(error, package.HelmPanicError):
            hint = "SBKUBE_HELM=program uses the helm program"
            return HelmError(f"the Helm SDK crashed: {helm_errors.one_line(text)}", subject=subject, hint=hint)
        return translate(text, subject, chart)


@dataclass(frozen=True, slots=True)
class _Stop:
    """How to end an action that can be cancelled."""

    token: CancelToken
    cancel: Callable[[], None]

    def watch(self, done: threading.Event) -> bool:
        """Wait for the end, or for the token and then a little for the end; tells whether it was cancelled."""
        try:
            while not done.wait(POLL):
                if self.token.is_set():
                    self.cancel()
                    done.wait(PATIENCE)
                    return True
        except BaseException:  # Ctrl-C without a handler of ours: Helm still has to record that it failed
            self.cancel()
            done.wait(PATIENCE)
            raise
        return False


_NOWHERE = """{apiVersion: v1, kind: Config, current-context: none, users: [{name: none, user: {}}],
clusters: [{name: none, cluster: {server: "http://127.0.0.1:1"}}],
contexts: [{name: none, context: {cluster: none, user: none}}]}"""


def _waiting(spec: ReleaseSpec) -> dict[str, Any]:
    return {
        "timeout_seconds": _seconds(spec.timeout),
        "wait": "watcher" if spec.wait else "hookOnly",
        "wait_for_jobs": spec.wait,
    }


def _applying(spec: ReleaseSpec) -> dict[str, Any]:
    return {
        "rollback_on_failure": spec.atomic,
        "force_conflicts": spec.force_conflicts,
        "take_ownership": spec.take_ownership,
        "labels": dict(spec.labels),
        "disable_hooks": spec.disable_hooks,
        "skip_crds": True,
        "disable_openapi_validation": True,  # server-side apply validates strictly anyway
        "hide_notes": True,
    }


def _seconds(timeout: float) -> int:
    return max(1, math.ceil(timeout))


def _interrupted(spec: ReleaseSpec) -> Interrupted:
    return Interrupted("cancelled before Helm began", subject=f"{spec.namespace}/{spec.name}")


def _check_dependencies(spec: ReleaseSpec, facts: Mapping[str, Any], present: Iterable[Mapping[str, Any]]) -> None:
    """Helm's program refuses a chart whose dependencies are not in `charts/`; the SDK renders without them."""
    wanted = [str(d.get("name")) for d in facts.get("dependencies") or ()]
    have = {str(d.get("name")) for d in present}
    missing = [name for name in dict.fromkeys(wanted) if name not in have]
    if missing:
        raise helm_errors.missing_dependencies(", ".join(missing), f"{spec.namespace}/{spec.name}", spec.chart)
