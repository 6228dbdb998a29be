"""Label and field selectors, read and refused as the API server does.

The grammar and its messages are those of `k8s.io/apimachinery/pkg/labels` and `pkg/fields`; which fields a kind
can be selected by is what Kubernetes registers for it (everything else knows only name and namespace).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
LabelMatch = Callable[[Mapping[str, str]], bool]

_OPERATORS = "in, notin, =, ==, !=, gt, lt"
_SPECIAL = {"(", ")", ",", "!", "=", "==", "!=", ">", "<"}
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_SYMBOLS = re.compile(r"[()=!<>,]+|[^\s()=!<>,]+")
_KNOWN_SYMBOLS = re.compile(r"==|!=|[()=!<>,]")


class SelectorError(ValueError):
    """A selector cannot be read or names an unknown field; the text is the API server's message (a 400)."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label: `operator` is one of exists, !, in, notin, =, !=, gt, lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` fulfil this condition."""
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if self.operator in ("in", "="):
            return value in self.values
        if self.operator in ("notin", "!="):
            return value is None or value not in self.values
        return value is not None and _compare(self.operator, value, self.values[0])


def _compare(operator: str, left: str, right: str) -> bool:
    try:
        return int(left) > int(right) if operator == "gt" else int(left) < int(right)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; without any it selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether an object with these labels is selected."""
        return all(r.matches(labels or {}) for r in self.requirements)

    def __bool__(self) -> bool:
        return bool(self.requirements)


def parse_label_selector(text: str) -> LabelSelector:
    """Reads the `labelSelector` query value. Raises SelectorError with the server's words."""
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def parse(self) -> LabelSelector:
        found: list[Requirement] = []
        while token := self.peek():
            if token in _SPECIAL and token != "!":
                raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self.requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            self.separator()
        return LabelSelector(tuple(found))

    def separator(self) -> None:
        token = self.take()
        if token not in ("", ","):
            raise SelectorError(f"found '{token}', expected: ',' or 'end of string'")
        following = self.peek()
        if token == "," and (not following or (following in _SPECIAL and following != "!")):
            raise SelectorError(f"found '{following}', expected: identifier after ','")

    def requirement(self) -> Requirement:
        token = self.take()
        absent = token == "!"
        key = self.take() if absent else token
        if not key or key in _SPECIAL:
            raise SelectorError(f"found '{key}', expected: identifier")
        _check_key(key)
        if self.peek() in ("", ","):
            return Requirement(key, "!" if absent else "exists")
        if absent:
            return Requirement(key, "!")
        return self.condition(key)

    def condition(self, key: str) -> Requirement:
        token = self.take()
        operator = {"in": "in", "notin": "notin", "=": "=", "==": "=", "!=": "!=", ">": "gt", "<": "lt"}.get(token)
        if operator is None:
            raise SelectorError(f"found '{token}', expected: {_OPERATORS}")
        values = self.values() if operator in ("in", "notin") else (self.exact_value(),)
        if operator in ("gt", "lt") and not re.fullmatch(r"[-+]?\d+", values[0]):
            raise SelectorError(
                f"<nil>: Invalid value: \"{values[0]}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        for at, value in enumerate(values):
            _check_value(key, at, value)
        return Requirement(key, operator, tuple(values))

    def exact_value(self) -> str:
        if self.peek() in ("", ","):
            return ""
        token = self.take()
        if token in _SPECIAL:
            raise SelectorError(f"found '{token}', expected: identifier")
        return token

    def values(self) -> tuple[str, ...]:
        token = self.take()
        if token != "(":
            raise SelectorError(f"found '{token}' expected: '('")
        if self.peek() == ")":
            self.take()
            return ("",)
        found: set[str] = set()
        while True:
            token = self.take()
            if token == ",":
                found |= {""} if not found or self.peek() in (")", ",") else set()
            elif token and token not in _SPECIAL:
                found.add(token)
                if self.peek() not in (",", ")"):
                    raise SelectorError(f"found '{self.peek()}', expected: ',' or ')'")
            else:
                raise SelectorError(f"found '{token}', expected: ',', or identifier")
            if self.peek() == ")":
                self.take()
                return tuple(sorted(found))


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    for piece in _SYMBOLS.findall(text):
        tokens.extend(_KNOWN_SYMBOLS.findall(piece) if piece[0] in "()=!<>," else [piece])
    return tokens


def _check_key(key: str) -> None:
    name = key.rpartition("/")[2]
    if not _QUALIFIED.fullmatch(name):
        raise SelectorError(
            f'<nil>: Invalid value: "{key}": name part must consist of alphanumeric characters, '
            "'-', '_' or '.', "
            "and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
            "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )


def _check_value(key: str, at: int, value: str) -> None:
    if len(value) > 63:
        raise SelectorError(f'values[{at}][{key}]: Invalid value: "{value}": must be no more than 63 characters')
    if not _VALUE.fullmatch(value):
        raise SelectorError(
            f'values[{at}][{key}]: Invalid value: "{value}": a valid label must be an empty string or consist of '
            "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
            "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        )


_EXPRESSIONS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def selector_of(struct: Mapping[str, Any] | None) -> LabelSelector | None:
    """The selector written as an object (`matchLabels`, `matchExpressions`); None selects nothing."""
    if struct is None:
        return None
    found = [Requirement(k, "=", (v,)) for k, v in (struct.get("matchLabels") or {}).items()]
    for expression in struct.get("matchExpressions") or ():
        operator = _EXPRESSIONS.get(expression.get("operator", ""), "in")
        found.append(Requirement(expression.get("key", ""), operator, tuple(expression.get("values") or ())))
    return LabelSelector(tuple(found))


def selector_text(struct: Mapping[str, Any] | None) -> str:
    """A selector object as `kubectl` prints it; `<none>` when it is empty, `<error>`-free by design."""
    if not struct:
        return "<none>"
    parts = [f"{k}={v}" for k, v in sorted((struct.get("matchLabels") or {}).items())]
    for e in struct.get("matchExpressions") or ():
        values = ",".join(sorted(e.get("values") or ()))
        operator = e.get("operator")
        if operator in ("In", "NotIn"):
            parts.append(f"{e['key']} {operator.lower()} ({values})")
        else:
            parts.append(e["key"] if operator == "Exists" else f"!{e['key']}")
    return ",".join(parts) or "<none>"


_META = ("metadata.name", "metadata.namespace")
_INVOLVED = tuple(
    f"involvedObject.{f}"
    for f in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
)
_REGARDING = tuple(f.replace("involvedObject", "regarding") for f in _INVOLVED)
_SUPPORTED: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): (
        *_META,
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    ("", "Node"): ("metadata.name", "spec.unschedulable"),
    ("", "ReplicationController"): (*_META, "status.replicas"),
    ("", "Event"): (*_INVOLVED, "reason", "reportingComponent", "source", "type", *_META),
    ("", "Namespace"): ("status.phase", "metadata.name"),
    ("", "Secret"): ("type", *_META),
    ("", "Service"): (*_META, "spec.clusterIP", "spec.type"),
    ("events.k8s.io", "Event"): (*_REGARDING, "reason", "reportingController", "type", *_META),
    ("batch", "Job"): (*_META, "status.successful"),
    ("apps", "StatefulSet"): (*_META, "status.successful"),
    ("apps", "ReplicaSet"): (*_META, "status.replicas"),
}
# How each kind words its refusal; everything else says which two fields it knows.
_REFUSALS: dict[tuple[str, str], str] = {
    ("batch", "Job"): 'field label "{0}" not supported for Job',
    ("apps", "StatefulSet"): "field label not supported for appsv1.StatefulSet: {0}",
}
_ELSEWHERE = {"status.successful": "status.succeeded", "source": "source.component"}


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One condition on one field: equal to `value`, or not equal when `negated`."""

    path: str
    value: str
    negated: bool = False

    def matches(self, body: Mapping[str, Any]) -> bool:
        """Whether `body` fulfils it; an absent field counts as the empty string."""
        return (field_text(body, self.path) == self.value) != self.negated


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All terms must hold."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, body: Mapping[str, Any]) -> bool:
        """Whether the object is selected."""
        return all(t.matches(body) for t in self.terms)

    def __bool__(self) -> bool:
        return bool(self.terms)


def parse_field_selector(
    text: str, group: str, kind: str, selectable: Iterable[str] | None = None
) -> FieldSelector:
    """Reads the `fieldSelector` query value for one kind.

    `selectable` are the JSON paths a custom resource declares in `selectableFields`; None means a built-in kind.
    Raises SelectorError when it cannot be read or names a field that this kind cannot be selected by.
    """
    terms = []
    for part in _split_terms(text):
        if not part:
            continue
        term = _read_term(text, part)
        _check_field(term.path, group, kind, selectable)
        terms.append(term)
    return FieldSelector(tuple(terms))


def _split_terms(text: str) -> list[str]:
    return re.split(r"(?<!\\),", text)


def _read_term(whole: str, part: str) -> FieldTerm:
    found = re.match(r"(.*?)(!=|==|=)(.*)$", part, re.DOTALL)
    if not found:
        raise SelectorError(f"invalid selector: '{whole}'; can't understand '{part}'")
    value = re.sub(r"\\([\\,=])", r"\1", found[3])
    return FieldTerm(found[1], value, found[2] == "!=")


def _check_field(path: str, group: str, kind: str, selectable: Iterable[str] | None) -> None:
    known = _SUPPORTED.get((group, kind)) if selectable is None else (*_META, *(p.lstrip(".") for p in selectable))
    if path in (known or _META):
        return
    if known is None:
        raise SelectorError(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
    raise SelectorError(_REFUSALS.get((group, kind), "field label not supported: {0}").format(path))


def field_text(body: Mapping[str, Any], path: str) -> str:
    """The field at a dotted path as selectors compare it: text, with `true`/`false` for booleans."""
    value: Any = body
    for step in _ELSEWHERE.get(path, path).split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
