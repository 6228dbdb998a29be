"""Simulated controllers: they do to objects what controllers, scheduler and kubelet would do."""

from sbkube.sandbox.controllers.runtime import Controllers

__all__ = ["Controllers"]
