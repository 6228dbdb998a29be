"""YAML as `kubectl` and `helm` read it, with the place of everything in it.

PyYAML's C scanner gives nodes; what a scalar means is decided by `go_scalars`. What Go does with a mapping is done
here: keys become strings, `<<` merges in the order of the document (a later merge wins over an earlier key), and
tags that nobody knows are ignored. Unlike Go we refuse duplicate keys: one of the two is always a mistake.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sbkube.errors import ConfigError, Place, Problem
from sbkube.sources.go_scalars import PLAIN, STR, ScalarError, as_json, key_text, resolve, tagged
from sbkube.sources.problems import refuse_config

MAX_EXPANSION = 10_000_000  # bytes of text after all aliases are written out
MAX_DEPTH = 250  # Go allows 10,000; no Kubernetes object comes near, and the C stack is not endless
_COLLECTION = "tag:yaml.org,2002:map"
_SURROGATES = re.compile(r"\\\\|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_HINTS = {
    "found a tab character": "indent with spaces, not with tabs",
    "did not find expected ',' or": "a bracket or quote that was opened before is not closed",
    "mapping values are not allowed": 'put text that contains ": " into quotes, or check the indentation',
    "found character '\\t'": "indent with spaces, not with tabs",
    "found character that cannot start": "text that begins with %, @, ` or a tab must be quoted",
    "did not find expected key": "check the indentation of this line and the ones before",
    "did not find expected '-'": "check the indentation of this line and the ones before",
    "could not find expected ':'": 'a key wants ": " after it',
    "found undefined alias": "text that begins with * must be quoted",
    "did not find expected alphabetic": "text that begins with & or * must be quoted",
    "found unexpected end of stream": "a quote is never closed",
    "second occurrence": "the same anchor is defined twice: give one of the two another name",
    "found unknown escape character": "write backslashes twice, or use single quotes",
}


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its value (JSON types only), and where each part of it was written."""

    value: Any
    file: str
    line: int
    node: Node | None = field(default=None, repr=False, compare=False)

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Where the value at `path` stands, or its key; the nearest part that exists if there is none."""
        node, mark = self.node, self.node.start_mark if self.node else None
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            name, node = found
            mark = name.start_mark if key and name is not None else node.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file, self.line)

    def at(self, *path: str | int) -> Any:
        """The value at `path`, or None."""
        value = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def _child(node: Node | None, step: str | int) -> tuple[Node | None, Node] | None:
    if isinstance(node, SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return None, node.value[step]
    if not isinstance(node, MappingNode):
        return None
    for name, value in node.value:
        if isinstance(name, ScalarNode) and _key(name) == step:
            return name, value
    for name, value in node.value:
        if _is_merge(name):
            sources = value.value if isinstance(value, SequenceNode) else [value]
            for source in sources:
                if (found := _child(source, step)) is not None:
                    return found
    return None


def shown(path: Path) -> str:
    """A path as people should see it: relative below the current folder, absolute elsewhere."""
    here = Path.cwd()
    absolute = path if path.is_absolute() else here / path
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


def digest(content: bytes) -> str:
    """The name of a content: `sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def decode(content: bytes, file: str) -> str:
    """Bytes of a file as text; raises ConfigError with the place of the first byte that is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise ConfigError(
            f"is not UTF-8 text (byte 0x{content[error.start]:02x})",
            place=Place(file, line, column),
            hint="save the file as UTF-8",
        ) from None


def read_file(path: Path) -> tuple[str, str]:
    """Text and digest of a file; raises ConfigError when it cannot be read or is not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"cannot be read: {reason}", place=Place(shown(path))) from error
    return decode(content, shown(path)), digest(content)


def read_documents(text: str, file: str, *, duplicates: list[Problem] | None = None) -> list[Document]:
    """All documents that are not empty.

    Duplicate keys are refused; where `duplicates` is given (a chart may render them, Helm does not mind) they
    are added to it instead, and the last one wins. Raises ConfigError with all problems and their places.
    """
    problems: list[Problem] = []
    documents = []
    for node in _compose(text, file):
        builder = _Builder(file, duplicates)
        value = builder.build(node)
        problems += builder.problems
        if value is not None:
            documents.append(Document(value, file, node.start_mark.line + 1, node))
    refuse_config(problems, file)
    return documents


def read_one(text: str, file: str) -> Document:
    """The only document of a text (value None if it is empty); raises ConfigError as `read_documents` does."""
    documents = read_documents(text, file)
    if len(documents) > 1:
        raise ConfigError(
            "holds several documents where one is expected",
            place=Place(file, documents[1].line),
            hint='remove the "---" and what follows',
        )
    return documents[0] if documents else Document(None, file, 1)


class _Composer(CParser):
    """Text to nodes. Untagged scalars are marked as plain or quoted, nothing is resolved yet."""

    depth = 0

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> str:
        if kind is ScalarNode:
            return PLAIN if implicit[0] else STR
        return _COLLECTION

    def descend_resolver(self, parent: Node | None, index: object) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = parent.start_mark if parent is not None else None
            raise yaml.composer.ComposerError(None, None, f"is nested deeper than {MAX_DEPTH} levels", mark)

    def ascend_resolver(self) -> None:
        self.depth -= 1


def _compose(text: str, file: str) -> Iterator[Node]:
    try:
        composer = _Composer(_joined_surrogates(text))
        while composer.check_node():
            node = composer.get_node()
            if node is not None:
                yield node
    except yaml.MarkedYAMLError as error:
        raise _translated(error, file) from None
    except yaml.reader.ReaderError as error:
        raise ConfigError(
            f"holds a character that YAML does not allow: {error.reason}",
            place=_place_of_character(text, file),
            hint="remove it, or write it as an escape in double quotes",
        ) from None


def _joined_surrogates(text: str) -> str:
    """JSON writes characters beyond 16 bits as two escapes, which YAML refuses; kubectl reads JSON as JSON."""
    if "\\u" not in text or text.lstrip()[:1] not in ("{", "["):
        return text
    return _SURROGATES.sub(_join, text)


def _join(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    return f"\\U{0x10000 + ((int(match[1], 16) - 0xD800) << 10) + int(match[2], 16) - 0xDC00:08x}"


def _place_of_character(text: str, file: str) -> Place:
    found = re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]", text)
    if found is None:
        return Place(file)
    before = text[: found.start()]
    return Place(file, before.count("\n") + 1, found.start() - (before.rfind("\n") + 1) + 1)


def _translated(error: yaml.MarkedYAMLError, file: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or "is not valid YAML"
    hint = next((hint for start, hint in _HINTS.items() if what.startswith(start)), None)
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    if error.context_mark and mark and error.context_mark.line != mark.line:
        what += f" (in what begins on line {error.context_mark.line + 1})"
    return ConfigError(f"broken YAML: {what}", place=place, hint=hint)


def _key(node: ScalarNode) -> str:
    try:
        return key_text(resolve(node.value) if node.tag == PLAIN else tagged(node.tag, node.value))
    except ScalarError:
        return str(node.value)


def _is_merge(node: Node) -> bool:
    return bool(node.value == "<<" and node.tag == PLAIN)


class _Builder:
    """Nodes to values. Problems are collected, so that all of a file are told at once."""

    def __init__(self, file: str, duplicates: list[Problem] | None = None) -> None:
        self._file = file
        self.problems: list[Problem] = []
        self._duplicates = self.problems if duplicates is None else duplicates

    def build(self, root: Node) -> Any:
        """The value of a document; raises ConfigError for alias bombs and anchors that contain themselves."""
        _weigh(root, self._file)
        return self._value(root)

    def _problem(self, node: Node, message: str, hint: str | None = None) -> Problem:
        mark = node.start_mark
        return Problem(message, Place(self._file, mark.line + 1, mark.column + 1), hint)

    def _refuse(self, node: Node, message: str, hint: str | None = None) -> None:
        self.problems.append(self._problem(node, message, hint))

    def _value(self, node: Node) -> Any:
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if isinstance(node, SequenceNode):
            return [self._value(item) for item in node.value]
        result: dict[str, Any] = {}
        self._fill(result, node, set())
        return result

    def _scalar(self, node: ScalarNode) -> Any:
        if node.tag == STR:
            return node.value
        try:
            value = resolve(node.value) if node.tag == PLAIN else tagged(node.tag, node.value)
            return as_json(value, node.value)
        except ScalarError as error:
            self._refuse(node, str(error))
            return None

    def _fill(self, result: dict[str, Any], mapping: Node, seen: set[str]) -> None:
        for name, value in mapping.value:
            if _is_merge(name):
                self._merge(result, value)
                continue
            key = self._name(name)
            if key is None:
                continue
            if key in seen:
                hint = "one of the two would be ignored: remove it"
                self._duplicates.append(self._problem(name, f'duplicate key "{key}"', hint))
            seen.add(key)
            result[key] = self._value(value)

    def _name(self, node: Node) -> str | None:
        if node.tag == STR:
            return str(node.value)
        if not isinstance(node, ScalarNode):
            self._refuse(node, "a list or map cannot be a key", "quote text that begins with { or [")
            return None
        try:
            return key_text(resolve(node.value) if node.tag == PLAIN else tagged(node.tag, node.value))
        except ScalarError as error:
            self._refuse(node, str(error))
            return None

    def _merge(self, result: dict[str, Any], node: Node) -> None:
        sources: Sequence[Node] = node.value if isinstance(node, SequenceNode) else [node]
        for source in reversed(sources):
            if isinstance(source, MappingNode):
                self._fill(result, source, set())
            else:
                self._refuse(source, 'a merge key "<<" wants a map or a list of maps')


def _weigh(root: Node, file: str) -> None:
    """Refuse documents whose aliases would blow up, by counting without writing them out."""
    weights: dict[int, int | None] = {}

    def weigh(node: Node) -> int:
        if isinstance(node, ScalarNode):
            return len(node.value) + 1
        identity = id(node)
        if identity in weights:
            known = weights[identity]
            if known is None:
                raise refuse(node, "an anchor contains itself")
            return known
        weights[identity] = None
        pairs = node.value if isinstance(node, SequenceNode) else [part for pair in node.value for part in pair]
        total = 2 + sum(map(weigh, pairs))
        if total > MAX_EXPANSION and total > 2 * _written(node):
            raise refuse(node, f"its aliases expand to more than {MAX_EXPANSION // 1_000_000} MB")
        weights[identity] = total
        return total

    def refuse(node: Node, message: str) -> ConfigError:
        mark = node.start_mark
        return ConfigError(message, place=Place(file, mark.line + 1, mark.column + 1))

    weigh(root)


def _written(node: Node) -> int:
    return int(node.end_mark.index) - int(node.start_mark.index)
