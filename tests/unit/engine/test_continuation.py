"""What is left of a plan promises nothing that was done before it was cut off."""

from __future__ import annotations

from sbkube.engine.continuation import without_promises
from sbkube.models.plan import AppPlan, Change, Effect, Operation, Verb
from sbkube.models.resource import ResourceKey

NAMESPACE = ResourceKey("", "v1", "Namespace", "", "shop")
NOTE = "new (simulated): its namespace is created by this plan"
CHANGES = (Change(ResourceKey("", "v1", "ConfigMap", "shop", "a"), Effect.CREATE, note=NOTE),)


def test_a_namespace_that_is_there_is_not_promised() -> None:
    (app,) = without_promises([AppPlan("a", "yaml", "shop", (), CHANGES)])
    assert app.changes[0].note == ""


def test_a_namespace_that_is_still_to_come_is() -> None:
    operation = Operation("a/apply/Namespace//shop", "a", Verb.APPLY, NAMESPACE)
    (app,) = without_promises([AppPlan("a", "yaml", "shop", (), CHANGES, (operation,))])
    assert app.changes[0].note == NOTE
