"""The verbs of the API on plain dicts: what a request means, without HTTP.

Everything is synchronous and done at once in memory; `store.flushed()` tells when it is on disk. Returned objects
are the stored ones: whoever wants to change one copies it (orjson dumps and loads) first.
"""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from sbkube.sandbox import conversion, fields, patches, rules, schema
from sbkube.sandbox.access import Deletion, Options
from sbkube.sandbox.decode import Unreadable, decode, tidied
from sbkube.sandbox.fields import Manager, now
from sbkube.sandbox.kinds import Kind, Registry
from sbkube.sandbox.status import (
    MODIFIED,
    StatusError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    invalid_patch,
    not_found,
)
from sbkube.sandbox.store import Store
from sbkube.sandbox.typed import printed
from sbkube.sandbox.zeros import zero

Json = dict[str, Any]


def copied(obj: Json) -> Json:
    """A deep copy."""
    found: Json = orjson.loads(orjson.dumps(obj))
    return found


class Api:
    """All verbs over one store. `subresource` is "", "status" or another one that is a view of the object."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self.store = store
        self.registry = registry

    # ---- reading

    def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """The object. Raises StatusError 404."""
        found = self.store.get(kind.store_key, namespace, name)
        if found is None:
            raise not_found(kind, name)
        return self.shown(kind, found)

    def find(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """The object or None."""
        found = self.store.get(kind.store_key, namespace, name)
        return None if found is None else self.shown(kind, found)

    def list(self, kind: Kind, namespace: str = "") -> list[Json]:
        """The objects of a kind in a namespace ("" for all), ordered by namespace and name."""
        return [self.shown(kind, obj) for _, obj in self.store.items(kind.store_key, namespace)]

    def shown(self, kind: Kind, obj: Json) -> Json:
        """A stored object in the version of `kind`."""
        return obj if obj.get("apiVersion") == kind.api_version else conversion.to_served(kind, obj)

    # ---- creating

    def create(self, kind: Kind, namespace: str, obj: Json, options: Options | None = None) -> Json:
        """Creates an object and returns it. Raises StatusError."""
        options = options or Options()
        new = self._decoded(kind, obj, options)
        metadata = new.setdefault("metadata", {})
        self._place(kind, namespace, metadata)
        if metadata.get("resourceVersion"):
            raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
        generated = not metadata.get("name") and metadata.get("generateName")
        if generated:
            metadata["name"] = self._generated(kind, namespace, metadata["generateName"])
        name = metadata.get("name", "")
        made = self._born(kind, namespace, new, options)
        if fields.clears_managers(made):
            made["metadata"].pop("managedFields")
        reset = rules.reset_fields(kind, "")
        made = fields.record_update(kind, self._zero(kind), made, Manager(options.manager), reset)
        made = self._admitted(kind, made)
        there = self.store.get(kind.store_key, namespace, name)
        if there is not None:
            raise already_exists(kind, name, going=bool(there["metadata"].get("deletionTimestamp")))
        return self._stored(kind, namespace, name, made, options)

    def _zero(self, kind: Kind) -> Json:
        found: Json = orjson.loads(zero(kind))
        return {"apiVersion": kind.api_version, "kind": kind.kind, **found}

    def _generated(self, kind: Kind, namespace: str, prefix: str) -> str:
        for _ in range(8):
            name = prefix[:58] + rules.random_suffix()
            if self.store.get(kind.store_key, namespace, name) is None:
                break
        return name

    def _place(self, kind: Kind, namespace: str, metadata: Json) -> None:
        if not kind.namespaced:
            if metadata.get("namespace"):
                raise bad_request("namespace should not be set on cluster-scoped objects")
            return
        if metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )

    def _born(self, kind: Kind, namespace: str, new: Json, options: Options) -> Json:
        """The object as it is created: system fields, defaults, admission, validation."""
        metadata = new["metadata"]
        for gone in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"):
            metadata.pop(gone, None)
        if not metadata.get("generation"):
            metadata.pop("generation", None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = now()
        if kind.subresource("status"):
            new.pop("status", None)
        rules.zero_status(kind, new)
        if rules.has_generation(kind):
            metadata["generation"] = 1
        new = {"apiVersion": kind.api_version, "kind": kind.kind, **new}
        rules.defaults(self, kind, new)
        self._check_namespace(kind, namespace, metadata.get("name", ""))
        return new

    def _admitted(self, kind: Kind, new: Json) -> Json:
        """A new object after admission, whose additions nobody owns, and validation."""
        new = copied(new)
        rules.admit(self, kind, new, None)
        rules.prepare(self, kind, new, None)
        causes = rules.validate(self, kind, new, None)
        if causes:
            raise invalid(kind, new["metadata"].get("name", ""), causes)
        return new

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        found = self.store.get("namespaces", "", namespace)
        if found is None:
            space = self.registry.by_path("", "v1", "namespaces")
            assert space is not None
            raise not_found(space, namespace)
        if found["metadata"].get("deletionTimestamp"):
            error = forbidden(
                kind, name, f"unable to create new content in namespace {namespace} because it is being terminated"
            )
            assert error.details is not None
            error.details["causes"] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise error

    # ---- changing

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        obj: Json,
        options: Options | None = None,
        subresource: str = "",
    ) -> Json:
        """Replaces an object (or its status). Raises StatusError."""
        options = options or Options()
        new = self._decoded(kind, obj, options)
        sent = (new.get("metadata") or {}).get("name")
        if sent and sent != name:
            raise bad_request(f"the name of the object ({sent}) does not match the name on the URL ({name})")
        if sent and not subresource and rules.may_create_on_update(kind) and not self.find(kind, namespace, name):
            return self.create(kind, namespace, obj, options)
        live = self.get(kind, namespace, name)
        if not sent:
            raise (
                bad_request("name must be provided")
                if kind.custom
                else invalid(kind, "", [rules.required("metadata.name", "name is required")])
            )
        return self._replace(kind, live, new, options, subresource)

    def _replace(self, kind: Kind, live: Json, new: Json, options: Options, subresource: str) -> Json:
        """Stores `new` over `live` as an Update by the manager of `options`."""
        new = self._prepared(kind, live, new, subresource)
        if not fields.clears_managers(new):
            if "managedFields" not in new["metadata"] and "managedFields" in live["metadata"]:
                new["metadata"]["managedFields"] = live["metadata"]["managedFields"]
            # An object without owners, whose owners were cleared, gets none before somebody applies.
            if fields.entries_of(new):
                manager = Manager(options.manager, subresource)
                new = fields.record_update(kind, live, new, manager, rules.reset_fields(kind, subresource))
        else:
            new["metadata"].pop("managedFields")
        new = self._checked(kind, live, new, subresource)
        return self._changed(kind, live, new, options)

    def _prepared(self, kind: Kind, live: Json, new: Json, subresource: str) -> Json:
        """`new` with what an update cannot change taken from `live`, and defaulted."""
        name, now_ = live["metadata"]["name"], live["metadata"]
        metadata = new["metadata"] = dict(new.get("metadata") or {})
        version = metadata.get("resourceVersion")
        if not version and rules.needs_version(kind):
            raise rules.no_version(kind, name)
        if version and version != now_["resourceVersion"]:
            raise conflict(kind, name, MODIFIED)
        if metadata.get("uid") and metadata["uid"] != now_["uid"]:
            raise rules.other_uid(kind, live, metadata["uid"])
        for key in ("resourceVersion", "uid", "creationTimestamp", "namespace", "generation", "generateName",
                    "deletionTimestamp", "deletionGracePeriodSeconds"):  # fmt: skip
            if key in now_:
                metadata[key] = now_[key]
            else:
                metadata.pop(key, None)
        metadata.pop("selfLink", None)
        new["apiVersion"], new["kind"] = kind.api_version, kind.kind
        rules.separate(kind, live, new, subresource)
        rules.defaults(self, kind, new)
        return new

    def _checked(self, kind: Kind, live: Json, new: Json, subresource: str) -> Json:
        """A changed object after admission and validation, with its generation."""
        new = copied(new)
        rules.admit(self, kind, new, live)
        causes = rules.validate(self, kind, new, live, subresource)
        if causes:
            raise invalid(kind, live["metadata"]["name"], causes)
        if subresource != "status" and rules.has_generation(kind) and rules.is_new_generation(kind, live, new):
            new["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
        return new

    def finish(self, kind: Kind, live: Json, new: Json, options: Options) -> Json:
        """Stores `new`, whose managers are recorded, over `live`. Raises StatusError."""
        return self._changed(kind, live, self._checked(kind, live, new, ""), options)

    def _changed(self, kind: Kind, live: Json, new: Json, options: Options) -> Json:
        """Stores a changed object, deletes it when its last finalizer is gone, keeps it when nothing changed."""
        rules.prepare(self, kind, new, live)
        metadata = live["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if fields.same_but_times(new, live):
            return live
        going = new["metadata"].get("deletionTimestamp")
        grace = new["metadata"].get("deletionGracePeriodSeconds") or 0
        if going and not new["metadata"].get("finalizers") and not grace and not rules.holds(kind, new):
            if options.dry_run:
                return new
            self.store.drop(kind.store_key, namespace, name)
            return new
        return self._stored(kind, namespace, name, new, options)

    def _stored(self, kind: Kind, namespace: str, name: str, new: Json, options: Options) -> Json:
        if options.dry_run:
            return new
        if kind.storage[2] and kind.storage != kind.gvk:
            new = conversion.to_stored(kind, new)
        new["metadata"] = dict(new["metadata"])
        return self.shown(kind, self.store.put(kind.store_key, namespace, name, new))

    def _decoded(self, kind: Kind, obj: Json, options: Options, keep_empty: bool = False) -> Json:
        decoded = decode(kind, obj, keep_empty)
        if (decoded.unknown or options.repeated) and options.validation != "Ignore":
            texts = [f'duplicate field "{p}"' for p in options.repeated]
            texts += [f'unknown field "{p}"' for p in decoded.unknown]
            if options.validation == "Strict":
                raise Unreadable(kind, f"strict decoding error: {', '.join(texts)}")
            options.warnings += texts
        return decoded.obj

    # ---- patching

    def patch(
        self, kind: Kind, namespace: str, name: str, how: str, body: Any, options: Options, subresource: str = ""
    ) -> tuple[Json, bool]:
        """Patches (`how`: apply, merge, json, strategic); returns the object and whether it was created."""
        if how == "apply":
            return self._apply(kind, namespace, name, body, options, subresource)
        live = self.get(kind, namespace, name)
        try:
            if how == "json":
                new = patches.json_patch(live, body)
            elif how == "merge":
                new = patches.merge_patch(live, body)
            else:
                new = patches.strategic(schema.type_of(kind), live, body)
        except patches.PatchError as error:
            raise rules.patch_failed(error) from None
        shown = printed(body) if how == "strategic" else orjson.dumps(new, option=orjson.OPT_SORT_KEYS).decode()
        found = rules.other_kind(self.registry, kind, new)
        if found:
            raise invalid_patch(orjson.dumps(shown).decode(), found)
        try:
            new = self._decoded(kind, new, options)
        except Unreadable as error:
            raise invalid_patch(orjson.dumps(shown).decode(), error.why) from None
        sent = new.get("metadata", {}).get("name")
        if sent != name:
            raise bad_request(f"the name of the object ({sent}) does not match the name on the URL ({name})")
        rules.check_uid(kind, live, new)
        return self._replace(kind, live, new, options, subresource), False

    def _apply(
        self, kind: Kind, namespace: str, name: str, body: Json, options: Options, subresource: str
    ) -> tuple[Json, bool]:
        rules.check_apply(kind, namespace, name, body)
        applied = self._decoded(kind, body, options, keep_empty=True)
        metadata = applied.setdefault("metadata", {})
        self._place(kind, namespace, metadata)
        metadata.setdefault("name", name)
        manager = Manager(options.manager, subresource)
        reset = rules.reset_fields(kind, subresource)
        live = self.find(kind, namespace, name)
        if live is None:
            if subresource:
                raise not_found(kind, name)
            if metadata.get("uid"):
                raise conflict(
                    kind,
                    name,
                    f"uid mismatch: the provided object specified uid {metadata['uid']}, "
                    "and no existing object was found",
                )
            merged = fields.apply(kind, self._zero(kind), applied, manager, options.force, reset)
            made = self._admitted(kind, self._born(kind, namespace, tidied(kind, merged), options))
            return self._stored(kind, namespace, name, made, options), True
        version = metadata.get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            raise conflict(kind, name, MODIFIED)
        rules.check_uid(kind, live, applied)
        owned = live
        if not fields.entries_of(live):
            before = Manager(fields.BEFORE_APPLY)
            owned = fields.record_update(kind, self._zero(kind), live, before, rules.reset_fields(kind, ""))
        merged = fields.apply(kind, owned, applied, manager, options.force, reset)
        if merged == live:
            return live, False
        new = self._prepared(kind, live, tidied(kind, merged), subresource)
        new = self._checked(kind, live, new, subresource)
        return self._changed(kind, live, new, options), False

    # ---- deleting

    def delete(self, kind: Kind, namespace: str, name: str, how: Deletion | None = None) -> tuple[Json, bool]:
        """Deletes; returns the object's last state and whether it is gone (False: finalizers hold it)."""
        how = how or Deletion()
        live = self.get(kind, namespace, name)
        metadata = live["metadata"]
        rules.check_preconditions(kind, live, how)
        new = {**live, "metadata": dict(metadata)}
        wanted = rules.finalizers_for(kind, metadata.get("finalizers") or [], how)
        if wanted:
            new["metadata"]["finalizers"] = wanted
        else:
            new["metadata"].pop("finalizers", None)
        grace = rules.grace(kind, live, how)
        if not wanted and not grace and not rules.holds(kind, new):
            if not how.dry_run:
                return self.store.drop(kind.store_key, namespace, name) or live, True
            return live, True
        if not metadata.get("deletionTimestamp"):
            new["metadata"]["deletionTimestamp"] = now()
            plain = kind.store_key in rules.WITHOUT_GRACE
            if not plain:
                new["metadata"]["deletionGracePeriodSeconds"] = grace
            if "generation" in metadata and not plain:
                new["metadata"]["generation"] = metadata["generation"] + 1
            rules.terminating(kind, new)
        elif new == live:
            return live, False
        return self._stored(kind, namespace, name, new, Options(dry_run=how.dry_run)), False
