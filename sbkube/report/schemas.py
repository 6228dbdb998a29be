"""JSON Schemas of all documents of `-o json`, by the middle of their name `sbkube/NAME/v1`.

`python -m sbkube.report.schemas` writes the shipped copies in `sbkube/data/schemas` anew; a test demands that they
are current, and another one that what commands print fits them. Within a version keys stay and more may come, so
readers should let unknown keys be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sbkube.report.schema_parts import (
    CODE,
    COUNT,
    DETAIL,
    FLAG,
    KEY,
    MAP,
    NOTE,
    NUMBERS,
    PARTS,
    PLAN,
    RUN,
    TEXT,
    TIME,
    WHEN,
    Schema,
    many,
    maybe,
    record,
    ref,
)

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SAVED = {"saved": TEXT, "digest": TEXT}
_RUNS = (
    record(RUN),
    record({"dry_run": {"const": True}, "plan": ref("plan")}, _SAVED),
    record({"dry_run": {"const": True}, "projects": many(ref("plan"))}),
    record({"exit_code": CODE, "projects": many(ref("run"))}),
)
_PLANS = (record(PLAN, _SAVED), record({"projects": many(ref("plan"))}))
_LISTED = record({"deployments": many(ref("deployment"))})
_PREPARED = record({"items": many(ref("prepared")), "warnings": many(TEXT)})
_UPDATE = {"app": TEXT, "version": TEXT, "newest": NOTE}
_FOUND_APP = record({"name": TEXT, "type": TEXT, "release": NOTE, "objects": many(record(KEY))})

# name: (what it is, its forms)
DOCUMENTS: Mapping[str, tuple[str, tuple[Schema, ...]]] = {
    "error": (
        "What any command prints when it refuses or fails.",
        (
            record(
                {"error": TEXT, "message": TEXT, "subject": NOTE, "hint": NOTE, "exit_code": CODE}
                | {"place": maybe(ref("place"))},
                {
                    "problems": many(record({"message": TEXT, "place": maybe(ref("place")), "hint": NOTE})),
                    "code": maybe(COUNT),
                    "reason": NOTE,
                },
            ),
        ),
    ),
    "plan": ("What apply would do.", _PLANS),
    "diff": ("The same as plan.", _PLANS),
    "apply": ("A run, or with --dry-run its plan; of a family, one of each project.", _RUNS),
    "deploy": ("As apply.", _RUNS),
    "upgrade": ("As apply.", _RUNS),
    "adopt": ("As apply.", _RUNS),
    "delete": ("As apply.", _RUNS),
    "rollback": ("As apply.", _RUNS),
    "resume": (
        "As apply; `deployment` is null where there is nothing to resume.",
        (*_RUNS, record({"deployment": {"type": "null"}})),
    ),
    "recover": (
        "Deployments that were settled.",
        (record({"deployments": many(ref("deployment"))}, {"unreached": many(ref("left-out"))}),),
    ),
    "rollback-list": ("Deployments that can be rolled back.", (_LISTED,)),
    "history": ("Deployments, newest first.", (_LISTED,)),
    "history-diff": (
        "What differs between what two deployments left.",
        (
            record(
                {
                    "from": TEXT,
                    "to": TEXT,
                    "releases": many(ref("release-difference")),
                    "objects": many(ref("object-difference")),
                }
            ),
        ),
    ),
    "history-values-diff": (
        "What differs between the Helm values of two deployments.",
        (
            record(
                {
                    "from": TEXT,
                    "to": TEXT,
                    "values": many(record({"release": TEXT, "before": MAP, "after": MAP})),
                }
            ),
        ),
    ),
    "show": ("One deployment with everything below it.", (record({**DETAIL, "story": many(TEXT)}),)),
    "status": (
        "How everything deployed is now.",
        (
            {
                **PARTS["project-status"],
                "properties": PARTS["project-status"]["properties"]
                | {
                    "depends_on": {"type": "object", "additionalProperties": many(TEXT)},
                    "updates": many(record(_UPDATE)),
                },
            },
            record({"projects": many({"anyOf": [ref("project-status"), ref("left-out")]})}),
        ),
    ),
    "drift": (
        "What others changed since the last deployment.",
        (PARTS["drift"], record({"drifted": FLAG, "projects": many(ref("drift"))})),
    ),
    "validate": (
        "A valid project; one that is not valid is an error document.",
        (
            record(
                {
                    "valid": {"const": True},
                    "file": TEXT,
                    "project": TEXT,
                    "apps": many(TEXT),
                    "warnings": many(TEXT),
                    "checked": NUMBERS,
                }
            ),
        ),
    ),
    "template": (
        "Manifests, or the files that they were written to.",
        (record({"manifests": many(MAP)}), record({"files": many(TEXT)})),
    ),
    "prepare": ("What was fetched; a run where a hook failed.", (_PREPARED, *_RUNS)),
    "build": ("Charts that were made; a run where a hook failed.", (_PREPARED, *_RUNS)),
    "check-updates": (
        "Newer versions of charts.",
        (
            record(
                {
                    "updates": many(
                        record(
                            _UPDATE
                            | {"chart": TEXT, "newest_same_major": NOTE, "step": NOTE}
                            | {"pinned": FLAG, "written": FLAG}
                        )
                    )
                }
            ),
        ),
    ),
    "init": ("Files that were written.", (record({"files": many(TEXT), "remarks": many(TEXT)}),)),
    "migrate": ("The new project file.", (record({"file": TEXT, "remarks": many(TEXT), "written": FLAG}),)),
    "doctor": (
        "What was looked at.",
        (record({"ok": FLAG, "checks": many(record({"name": TEXT, "ok": FLAG, "text": TEXT, "hint": NOTE}))}),),
    ),
    "sandbox": (
        "Whether the simulated cluster runs, and where.",
        ({**record({}, {"running": FLAG, "kubeconfig": TEXT, "was_running": FLAG, "reset": FLAG}), **MAP},),
    ),
    "completion": ("A completion script.", (record({"shell": TEXT, "script": TEXT, "file": TEXT}),)),
    "serve": (
        "An address that opens the web page once; a new document whenever one has been used.",
        (record({"url": TEXT, "socket": maybe(TEXT), "acts": FLAG}),),
    ),
    "version": ("Which sbkube this is.", (record({"version": TEXT, "python": TEXT, "platform": TEXT}),)),
    "state-upgrade": ("The database is up to date.", (record({"state": TEXT}),)),
    "state-verify": (
        "Whether the history is what was recorded.",
        (
            record(
                {
                    "ok": FLAG,
                    "unproven": COUNT,
                    "findings": many(record({"subject": TEXT, "message": TEXT, "serious": FLAG})),
                }
            ),
        ),
    ),
    "state-info": (
        "Where the database is, and what it holds.",
        (
            record(
                {"state": TEXT, "schema_version": TEXT, "bytes": maybe(COUNT), "key_id": NOTE}
                | {"older_key_ids": many(TEXT), "projects": COUNT, "oldest": WHEN, "newest": WHEN}
                | {"rows": NUMBERS, "blobs_by_key_id": NUMBERS}
            ),
        ),
    ),
    "state-prune": (
        "Deployments that were or would be forgotten.",
        (record({"dry_run": FLAG, "removed": many(TEXT), "still_needed": COUNT, "blobs": COUNT}),),
    ),
    "state-rekey": (
        "What is under the new key.",
        (record({"key_id": TEXT, "blobs": COUNT, "chains": COUNT}, {"retired": TEXT}),),
    ),
    "state-rebuild": (
        "What was found by its labels, and recorded.",
        (
            record(
                {
                    "dry_run": FLAG,
                    "apps": many(_FOUND_APP),
                    "left_out": many(record({**KEY, "reason": TEXT})),
                    "unseen": many(TEXT),
                },
                {"deployment_id": TEXT},
            ),
        ),
    ),
    "state-key": ("A new key.", (record({"key": TEXT}),)),
    "state-export": (
        "What was written.",
        (record({"file": TEXT, "deployments": COUNT, "closings": COUNT, "blobs": COUNT}),),
    ),
    "state-import": (
        "What was merged, or which outcomes were recorded.",
        (
            record(
                dict.fromkeys(("added", "replaced", "known", "pruned"), COUNT)
                | {"conflicts": many(TEXT), "missing_keys": many(TEXT)}
            ),
            record({"deployment": TEXT, "settled": COUNT, "known": COUNT, "open": COUNT}),
        ),
    ),
    "event": (
        "A message while something runs, as programs get it.",
        (
            record(
                {"kind": TEXT, "time": TIME, "app": TEXT, "subject": TEXT, "status": TEXT, "message": TEXT}
                | {"data": MAP}
            ),
        ),
    ),
}
NAMES = tuple(sorted(DOCUMENTS))


def schema(name: str) -> Schema:
    """The whole schema of one document; raises KeyError for a name that is not in `NAMES`."""
    head = {"schema": {"const": f"sbkube/{name}/v1"}}
    whole = [
        {
            **form,
            "properties": {**head, **form["properties"]},
            "required": ["schema", *form["required"]],
        }
        for form in DOCUMENTS[name][1]
    ]
    body = whole[0] if len(whole) == 1 else {"anyOf": whole}
    found = {
        "$schema": _DRAFT,
        "$id": f"https://sbkube.dev/schemas/{name}.v1.json",
        "title": f"sbkube/{name}/v1",
        "description": DOCUMENTS[name][0],
        **body,
    }
    used = _parts(body)
    return {**found, "$defs": {part: PARTS[part] for part in sorted(used)}} if used else found


def _parts(value: object) -> set[str]:
    """Names of the parts that a schema refers to, and of those that they refer to."""
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str):
            name = target.rsplit("/", 1)[-1]
            return {name} | _parts(PARTS[name])
        return set().union(*(_parts(below) for below in value.values()))
    if isinstance(value, list | tuple):
        return set().union(*(_parts(below) for below in value))
    return set()


def text(name: str) -> str:
    """One shipped file."""
    return json.dumps(schema(name), indent=1, ensure_ascii=False) + "\n"


def write(folder: Path) -> None:
    """All shipped files."""
    for name in NAMES:
        (folder / f"{name}.json").write_text(text(name), "utf-8")


if __name__ == "__main__":
    write(Path(__file__).resolve().parent.parent / "data" / "schemas")
