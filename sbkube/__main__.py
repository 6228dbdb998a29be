"""`python -m sbkube`."""

from __future__ import annotations

import sys

from sbkube.cli.main import main

sys.exit(main())
