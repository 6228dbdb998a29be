"""The command line as it may be recorded and shown: who looks at it later must find no password in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

HIDDEN = "***"
_TELLING = re.compile(
    r"pass|token|secret|credential|auth|header|cookie|api-?key|(^|-)key$|^--set|(^|-)values?$", re.IGNORECASE
)
_IN_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^/?#\s]*)@")
_IN_QUERY = re.compile(r"(?P<name>[?&][^=&#\s]+)=(?P<value>[^&#\s]*)")


def redacted(words: Sequence[str]) -> str:
    """One line that a shell would read as these words, without values that may be secret: those of options with a
    telling name (`--set`, `--token` …), of `NAME=VALUE` with such a name, and passwords and queries of URLs."""
    out: list[str] = []
    hide_next = False
    for word in words:
        if hide_next and not word.startswith("-"):
            out.append(HIDDEN)
            hide_next = False
            continue
        name, equals, _ = word.partition("=")
        telling = bool(_TELLING.search(name)) and "://" not in name
        hide_next = telling and not equals and word.startswith("--")
        out.append(f"{name}={HIDDEN}" if telling and equals else without_passwords(word))
    return shlex.join(["sbkube", *out]).replace(f"'{HIDDEN}'", HIDDEN)


def without_passwords(text: str) -> str:
    """Text whose URLs have neither password nor query values. A user name alone stays."""

    def user(found: re.Match[str]) -> str:
        name, colon, _ = found["user"].partition(":")
        return f"{found['scheme']}{name}{':' + HIDDEN if colon else ''}@"

    clean = _IN_URL.sub(user, text)
    return _IN_QUERY.sub(rf"\g<name>={HIDDEN}", clean) if "://" in clean else clean
