"""Tasks: what a hook does besides running a shell command. The fields only; `steps` makes something of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)

from sbkube.apps.fields import Namespace, OneOrMore, Seconds, Text, Whole, refuse

TAG = "type="  # begins the names of the kinds of tasks in the paths of errors


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Condition(_Part):
    """A condition in an object's status."""

    type: Text = Field(min_length=1, description="Type of the condition.")
    status: Text = Field(default="True", description="The status that it must have.")


class Validation(_Part):
    """An object that must be there, or in some state, after the task."""

    kind: Text = Field(min_length=1, description="Kind, such as Deployment.")
    name: Text = Field(min_length=1, description="Name of the object.")
    namespace: Namespace | None = Field(default=None, description="Namespace instead of the app's.")
    wait_for_ready: bool = Field(default=False, description="Wait until it is ready.")
    timeout: Seconds | None = Field(default=None, description='Time for it: seconds, or "5m".')
    conditions: tuple[Condition, ...] = Field(default=(), description="Conditions that it must have.")


class WaitFor(_Part):
    """Objects that must be there before the task."""

    kind: Text = Field(min_length=1, description="Kind, such as Pod.")
    name: Text = Field(default="", description="Name of the object, or a label_selector.")
    label_selector: Text = Field(default="", description="Labels of the objects: app=db,tier=back.")
    namespace: Namespace | None = Field(default=None, description="Namespace instead of the app's.")
    condition: Text = Field(default="ready", description="ready, deleted, or the type of a condition.")
    timeout: Seconds | None = Field(default=None, description='Time for it: seconds, or "5m".')


class Dependency(_Part):
    """What comes before a task."""

    depends_on: tuple[Text, ...] = Field(default=(), description="Tasks of the same list that come first.")
    wait_for: tuple[WaitFor, ...] = Field(default=(), description="Objects that must be there first.")


class TaskRollback(_Part):
    """How a task is undone. What it applied is undone without that."""

    enabled: bool = Field(default=True, description="False switches it off.")
    on_failure: Literal["always", "manual", "never"] = Field(
        default="manual",
        description="always: also when a failed deployment is rolled back by itself; manual: by `rollback` only.",
    )
    manifests: OneOrMore = Field(default=(), description="Manifests to apply.")
    commands: OneOrMore = Field(default=(), description="Shell commands to run.")


class Retry(_Part):
    """Trying again."""

    max_attempts: Whole = Field(default=1, ge=1, le=100, description="How often at most.")
    delay: Seconds = Field(default=1.0, description="Time between two attempts.")


class _Task(_Part):
    name: Text = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Name of the task.")
    validation: Validation | None = Field(default=None, description="What must be there afterwards.")
    dependency: Dependency = Field(default=Dependency(), description="What comes first.")
    rollback: TaskRollback | None = Field(default=None, description="How it is undone.")


class ManifestsTask(_Task):
    """Applies manifests."""

    type: Literal["manifests"]
    files: OneOrMore = Field(
        validation_alias=AliasChoices("files", "paths", "manifests"),
        min_length=1,
        description="Files, folders and globs, as in an app of type yaml.",
    )
    namespace: Namespace | None = Field(default=None, description="Namespace instead of the app's.")


class InlineTask(_Task):
    """Applies an object that is written here."""

    type: Literal["inline"]
    content: dict[str, Any] = Field(description="The object.")
    namespace: Namespace | None = Field(default=None, description="Namespace instead of the app's.")


class CommandTask(_Task):
    """Runs a shell command."""

    type: Literal["command", "shell"]
    command: Text = Field(min_length=1, description="The command, as for `sh -c`.")
    timeout: Seconds | None = Field(default=None, description='Time for one attempt: seconds, or "5m".')
    retry: Retry = Field(default=Retry(), description="Trying again after a failure.")
    on_failure: Literal["fail", "warn", "ignore"] = Field(default="fail", description="What a failure means.")


class WaitTask(_Task):
    """Waits for an object."""

    type: Literal["wait"]
    resource: Text = Field(pattern=r"^[^/]+/[^/]+$", description="KIND/NAME.")
    condition: Text = Field(default="ready", description="ready, deleted, or the type of a condition.")
    namespace: Namespace | None = Field(default=None, description="Namespace instead of the app's.")
    timeout: Seconds | None = Field(default=None, description='Time for it: seconds, or "5m".')


class ValidateTask(_Task):
    """Runs a command and looks at what it says."""

    type: Literal["validate"]
    command: Text = Field(min_length=1, description="The command, as for `sh -c`.")
    expected: Text = Field(default="", description="Text that its output must hold.")
    retry: Whole = Field(default=1, ge=1, le=100, description="How often it is tried at most.")
    retry_delay: Seconds = Field(default=1.0, description="Time between two attempts.")
    timeout: Seconds | None = Field(default=None, description='Time for one attempt: seconds, or "5m".')


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, int | str) else value


Statuses = Annotated[
    tuple[Whole, ...],
    BeforeValidator(_one_or_more),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}),
]


class HttpTask(_Task):
    """Asks a web server."""

    type: Literal["http"]
    url: Text = Field(pattern=r"^https?://", description="What is asked for.")
    method: Literal["GET", "HEAD", "POST", "PUT", "DELETE"] = Field(default="GET", description="The method.")
    expected_status: Statuses = Field(default=(200,), description="Status, or several, that count as success.")
    retry: Whole = Field(default=1, ge=1, le=100, description="How often it is tried at most.")
    retry_delay: Seconds = Field(default=1.0, description="Time between two attempts.")
    timeout: Seconds | None = Field(default=None, description='Time for one attempt: seconds, or "5m".')


KINDS = ["command", "http", "inline", "manifests", "shell", "validate", "wait"]


def _kind(value: Any) -> str | None:
    given = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return f"{TAG}{given}" if given else None


Task = Annotated[
    Annotated[ManifestsTask, Tag(f"{TAG}manifests")]
    | Annotated[InlineTask, Tag(f"{TAG}inline")]
    | Annotated[CommandTask, Tag(f"{TAG}command")]
    | Annotated[CommandTask, Tag(f"{TAG}shell")]
    | Annotated[WaitTask, Tag(f"{TAG}wait")]
    | Annotated[ValidateTask, Tag(f"{TAG}validate")]
    | Annotated[HttpTask, Tag(f"{TAG}http")],
    Discriminator(_kind),
]


def _in_order(tasks: tuple[Any, ...]) -> tuple[Any, ...]:
    """Tasks behind those that they depend on, otherwise as they were written."""
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise refuse(f'has the name "{name}" twice', "names of tasks must be unique")
    for task in tasks:
        for other in task.dependency.depends_on:
            if other not in names:
                raise refuse(
                    f'has no task "{other}", on which "{task.name}" depends', f"tasks: {', '.join(names)}"
                )
    graph = TopologicalSorter({task.name: task.dependency.depends_on for task in tasks})
    try:
        graph.prepare()
    except CycleError as error:
        raise refuse(f"depends on itself: {' → '.join(reversed(error.args[1]))}", "remove one of them") from None
    return tuple(_sorted(tasks, names, graph))


def _sorted(tasks: tuple[Any, ...], names: list[str], graph: TopologicalSorter[str]) -> Iterable[Any]:
    waiting: list[str] = []
    while graph.is_active():
        waiting = sorted([*waiting, *graph.get_ready()], key=names.index)
        if not waiting:
            return
        first, *waiting = waiting
        graph.done(first)
        yield tasks[names.index(first)]


Tasks = Annotated[tuple[Task, ...], AfterValidator(_in_order)]
