"""The state system: whatever sbkube does to a cluster is written down before and after it is done.

`database.DeploymentDatabase` keeps the rows, `tracker.DeploymentTracker` is the only writer and implements the
`Ledger` port. No row, session or foreign exception leaves this folder; SQLAlchemy is imported nowhere else.
"""
