"""YAML that reads the same to people, kubectl and Python: block style, no aliases, doubtful scalars quoted."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any

# What a reader of YAML 1.1 or 1.2, or Go's mixture of both, may take for something other than text.
_DOUBTFUL = re.compile(
    r"(?i)^(y|n|yes|no|on|off|true|false|null|~|"
    r"[-+]?(\.inf|[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9]+)?|\.[0-9][0-9_]*(e[-+]?[0-9]+)?)|\.nan|"
    r"[-+]?0[obx][0-9a-f_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|"
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([t ].*)?|<<|=)$"
)


def dump(value: Any) -> str:
    """One document, keys in the order given, ending in a newline."""
    import yaml

    text: str = yaml.dump(
        value, Dumper=_dumper(), default_flow_style=False, sort_keys=False, allow_unicode=True, width=4096
    )
    return text.removesuffix("...\n")


def dump_all(values: Iterable[Any]) -> str:
    """Several documents, separated by `---`."""
    return "---\n".join(dump(value) for value in values)


def load_all(text: str) -> list[Any]:
    """The documents of a text that `dump_all` wrote, empty ones left out."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [value for value in yaml.load_all(text, Loader=loader) if value is not None]


@functools.cache
def _dumper() -> Any:
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """The library's dumper with our text style and without anchors."""

        def ignore_aliases(self, data: Any) -> bool:
            """Repeat what occurs twice; an anchor in a manifest helps nobody."""
            return True

    def text(dumper: Any, value: str) -> Any:
        style = '"' if _DOUBTFUL.match(value) else "|" if _block(value) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper


def _block(value: str) -> bool:
    """Several lines that a literal block can hold unchanged."""
    return "\n" in value and not any(line != line.rstrip() for line in value.split("\n")) and "\t" not in value
