"""An artifact counts once it was built and everything that holds its contract is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployspec.ir.artifact import ARTIFACT_FOLDER, Done, Failed, NotOneArtifact, sound, the_artifact

if TYPE_CHECKING:
    from deployspec.ir.artifact import StepResult

STEPS = ("pruned", "made", "made@structure", "made@test")


def results(*failed: str) -> dict[str, StepResult]:
    return {
        step: Failed(step=step, reason="it broke")
        if step in failed
        else Done(step=step, folder=Path(step), sha256="", cached=False, seconds=0)
        for step in (*STEPS, "beside")
    }


def test_an_artifact_of_which_every_step_is_done_is_sound() -> None:
    found = results()
    assert sound("made", STEPS, found) == found["made"]


@pytest.mark.parametrize("step", STEPS)
def test_an_artifact_of_which_any_step_failed_is_not(step: str) -> None:
    assert sound("made", STEPS, results(step)) is None


def test_what_failed_beside_it_does_not_matter_and_what_made_it_always_does() -> None:
    assert sound("made", STEPS, results("beside"))
    assert sound("made", (), results("made")) is None


def test_there_is_one_artifact_and_no_other(tmp_path: Path) -> None:
    with pytest.raises(NotOneArtifact, match="left no artifact"):
        the_artifact(tmp_path)
    (tmp_path / ARTIFACT_FOLDER / "b").mkdir(parents=True)
    assert the_artifact(tmp_path).name == "b"
    (tmp_path / ARTIFACT_FOLDER / "a").touch()
    with pytest.raises(NotOneArtifact, match="left 2: 'a', 'b'"):
        the_artifact(tmp_path)
