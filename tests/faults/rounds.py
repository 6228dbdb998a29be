"""One of many processes that want the same lock, again and again: `rounds.py URL ROUNDS FOLDER SEED`.

While it holds the lock a file exists that must not exist already; each token is noted. Now and then a process dies
with the lock in its hands (exit code 9), and whoever started it starts another.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from sbkube.models.deployment_state import LockTarget
from sbkube.state.tracker import DeploymentTracker

TARGET = LockTarget("shop", "uid-1", "shop")
DIED, TWO_HOLDERS = 9, 8


def main(url: str, rounds: int, folder: Path, seed: int) -> int:
    """The rounds of one process."""
    chance, tracker = random.Random(seed), DeploymentTracker(url)
    sign, log = folder / "held", folder / f"tokens-{os.getpid()}"
    with log.open("a") as tokens:
        for _ in range(rounds):
            lock = tracker.acquire(TARGET, "round", wait=120)
            try:
                os.close(os.open(sign, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return TWO_HOLDERS
            tokens.write(f"{lock.token}\n")
            tokens.flush()
            time.sleep(chance.random() / 1000)
            if chance.random() < 0.3:
                tracker.renew(lock)
            sign.unlink()
            if chance.random() < 0.02:
                os._exit(DIED)
            tracker.release(lock)
    tracker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
