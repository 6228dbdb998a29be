"""What is recorded of a command line holds no password."""

from __future__ import annotations

import pytest

from sbkube.cli.commandline import redacted


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["apply", "-y", "--app", "web"], "sbkube apply -y --app web"),
        (["apply", "my project"], "sbkube apply 'my project'"),
        (["apply", "--set", "a.password=hunter2", "-y"], "sbkube apply --set *** -y"),
        (["apply", "--set=a.password=hunter2"], "sbkube apply '--set=***'"),
        (["apply", "--token", "hunter2"], "sbkube apply --token ***"),
        (["sandbox", "run", "DB_PASSWORD=hunter2"], "sbkube sandbox run 'DB_PASSWORD=***'"),
        (
            ["history", "--state-url", "postgresql://ann:hunter2@db:5432/s?sslmode=x"],
            "sbkube history --state-url 'postgresql://ann:***@db:5432/s?sslmode=***'",
        ),
        (
            ["history", "--state-url=postgresql://ann:p@ss@db/s"],
            "sbkube history '--state-url=postgresql://ann:***@db/s'",
        ),
        (["history", "--state-url", "postgresql:///s?password=hunter2"], None),
        (["rollback", "--to", "latest~2"], "sbkube rollback --to 'latest~2'"),
    ],
)
def test_values_that_may_be_secret_are_left_out(words, line):
    found = redacted(words)
    assert "hunter2" not in found and "p@ss" not in found
    assert line is None or found == line
