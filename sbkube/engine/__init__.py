"""Doing: prepare a plan by reading, execute a plan against a ledger, wait, settle, undo."""
