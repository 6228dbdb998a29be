"""`make demo`: the main job from end to end, on a simulated cluster, in a folder of its own.

Each step prints the command as one would type it, runs it, and says in plain words what happened. Works again and
again: it begins with an empty sandbox and an empty history in `.sbkube/demo` below this checkout.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".sbkube" / "demo"
SBKUBE = [sys.executable, "-m", "sbkube"]


def say(text: str) -> None:
    """A line of plain words."""
    print(f"\n\033[1m— {text}\033[0m" if sys.stdout.isatty() else f"\n— {text}", flush=True)


def run(*words: str, expect: int = 0) -> str:
    """Run one sbkube command in the demo folder, show it, and stop the demo if it ends otherwise than expected."""
    print(f"$ sbkube {' '.join(words)}", flush=True)
    capture = "json" in words
    done = subprocess.run([*SBKUBE, *words], cwd=WORK, env=environment(), text=True, capture_output=capture)
    if done.returncode != expect:
        print(done.stdout or "", done.stderr or "")
        sys.exit(f"demo: exit code {done.returncode} instead of {expect}")
    return done.stdout or ""


def environment() -> dict[str, str]:
    """Nothing of the caller's clusters or history is used."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("SBKUBE_") and k != "KUBECONFIG"}
    return {**env, "SBKUBE_STATE_URL": str(WORK / "deployments.db")}


def history() -> list[dict[str, str]]:
    """What the database says."""
    found: list[dict[str, str]] = json.loads(run("history", "-o", "json"))["deployments"]
    return found


def main() -> None:
    started = time.monotonic()
    if WORK.exists():
        subprocess.run([*SBKUBE, "sandbox", "down"], cwd=WORK, env=environment(), capture_output=True)
        shutil.rmtree(WORK)
    shutil.copytree(ROOT / "examples" / "01-quickstart", WORK)
    try:
        story()
    finally:
        subprocess.run([*SBKUBE, "sandbox", "down"], cwd=WORK, env=environment(), capture_output=True)
    say(
        f"Done in {time.monotonic() - started:.1f} s. The project and its history are in {WORK.relative_to(ROOT)}."
    )


def story() -> None:
    say("A simulated Kubernetes API starts in the background; it keeps its objects on disk.")
    run("sandbox", "up")
    say("Two Helm charts and two sets of manifests are planned, journaled, applied and waited for.")
    run("--sandbox", "apply", "-y")
    run("--sandbox", "status")
    say("Everything that was done is on record.")
    run("history")
    say("One value changes: the greeting of the web server.")
    values = WORK / "values" / "web.yaml"
    values.write_text(values.read_text().replace("greeting: hello", "greeting: good evening"))
    run("--sandbox", "diff")
    run("--sandbox", "apply", "-y")
    say("That was a mistake. The whole deployment goes back to what it was.")
    run("--sandbox", "rollback", "-y")
    run("history")
    say("In plain words:")
    first, second, third = reversed(history())
    print(f"  {first['deployment_id']}  installed four apps: {first['status']}")
    print(f"  {second['deployment_id']}  changed the greeting: {second['status']}")
    print(f"  {third['deployment_id']}  took that back, and says so: {third['status']}")


if __name__ == "__main__":
    main()
