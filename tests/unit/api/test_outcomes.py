"""What is said when the state database fails after the cluster was changed."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sbkube.api.outcomes import dump, read_back
from sbkube.engine.execute import Run
from sbkube.errors import RecordLost, StateNotWritable
from sbkube.models.deployment_state import DeploymentDetail, DeploymentRecord, DeploymentStatus, LockTarget
from sbkube.models.outcome import OpState, Outcome
from sbkube.state.tracker import DeploymentTracker

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SECRET = {"metadata": {"uid": "u-1", "resourceVersion": "7"}, "data": {"password": "planted-77"}}
RECORD = DeploymentRecord(1, "dep-1", DeploymentStatus.SUCCESS, NOW, "c", "n", "d", "f", "apply", {})
RUN = Run(RECORD, (Outcome("a/apply/Secret/n/s", OpState.APPLIED, NOW, NOW, after=SECRET),))


def test_a_record_that_cannot_be_read_after_the_run_is_exit_6(tmp_path: Path) -> None:
    class Gone(DeploymentTracker):
        def detail(
            self, reference: str, target: LockTarget | None = None, *, images: bool = True
        ) -> DeploymentDetail:
            raise StateNotWritable("disk I/O error")

    with pytest.raises(RecordLost) as caught:
        read_back(Gone(tmp_path / "state.db"), RUN)
    assert caught.value.exit_code == 6 and caught.value.outcomes == RUN.outcomes


def test_the_dump_identifies_objects_and_holds_no_secrets(tmp_path: Path) -> None:
    error = RecordLost("lost", outcomes=RUN.outcomes, deployment="dep-1")
    ledger = DeploymentTracker(tmp_path / "state.db")
    file = Path(dump(error, ledger))
    text = file.read_text()
    assert file.parent == tmp_path and file.stat().st_mode & 0o777 == 0o600
    (outcome,) = json.loads(text)["outcomes"]
    assert (outcome["uid"], outcome["resource_version"]) == ("u-1", "7")
    assert "planted-77" not in text


def test_the_dump_goes_elsewhere_when_the_folder_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    error = RecordLost("lost", outcomes=RUN.outcomes, deployment="dep-2")
    ledger = DeploymentTracker(tmp_path / "elsewhere" / "state.db")
    shutil.rmtree(tmp_path / "elsewhere")
    assert Path(dump(error, ledger)).parent == tmp_path
