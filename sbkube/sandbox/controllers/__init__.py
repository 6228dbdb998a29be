"""Simulated controllers: they do to stored objects what a cluster's controllers, scheduler and kubelet would do."""

from sbkube.sandbox.controllers.runtime import Controllers

__all__ = ["Controllers"]
