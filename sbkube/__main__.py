"""`python -m sbkube` is the same as `sbkube`."""

from __future__ import annotations

from sbkube.cli.main import main

if __name__ == "__main__":
    main()
