"""The ledger: every candidate once, whoever asks, and however the program ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from deployspec.errors import StoreError
from deployspec.ir.artifact import Done, Failed
from deployspec.ir.evidence import Count
from deployspec.ir.plan import Plan, Route
from deployspec.measure.ledger import Ledger, measure_uses

if TYPE_CHECKING:
    from pathlib import Path

RECORD = """
import sys
from pathlib import Path
from deployspec.measure.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]))
print("ready", flush=True)
for i in range(int(sys.argv[2])):
    ledger.record("split", f"artifact-{i}")
"""


def recorder(folder: Path, candidates: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RECORD, str(folder), str(candidates)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_candidate_counts_once_and_for_its_split_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    for split, artifact in (("a", "1"), ("a", "2"), ("a", "1"), ("b", "1")):
        ledger.record(split, artifact)
    assert (ledger.uses("a"), ledger.uses("b")) == (2, 1)
    assert Ledger(tmp_path / "ledger").uses("a") == 2, "it is kept"


def test_two_programs_at_once_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    both = [recorder(tmp_path, 300) for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    assert Ledger(tmp_path).uses("split") == 300
    for each in both:
        assert each.stdout is not None
        each.stdout.close()


def test_a_program_that_is_killed_leaves_what_it_recorded(tmp_path: Path) -> None:
    with recorder(tmp_path, 10**7) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        while not (tmp_path / "split" / "artifact-20").exists():
            assert program.poll() is None
        os.kill(program.pid, signal.SIGKILL)
    recorded = Ledger(tmp_path).uses("split")
    assert recorded > 20
    Ledger(tmp_path).record("split", "artifact-0")
    assert Ledger(tmp_path).uses("split") == recorded


def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot write in the store .*ledger: Not a directory\. "):
        Ledger(tmp_path / "ledger").record("a", "1")


def done(folder: Path, sha256: str) -> Done:
    return Done(step="", folder=folder, sha256=sha256, cached=False, seconds=0)


def test_what_was_evaluated_is_recorded_for_all_before_it_is_counted_for_any(tmp_path: Path) -> None:
    results: dict[str, Done | Failed] = {"data.test": done(tmp_path, "of the test split")}
    routes = []
    for name, evaluated in (("phone", True), ("watch", True), ("server", False)):
        home = tmp_path / name / "artifact"
        home.mkdir(parents=True)
        (home / "model").write_text(name)
        results[name] = done(tmp_path / name, "")
        results[f"{name}@test"] = done(tmp_path, "") if evaluated else Failed(step=f"{name}@test", reason="killed")
        evaluations = (("test", f"{name}@test"),) * 2
        routes.append(
            Route(target=name, format="f", steps=(), artifact=name, structure="", runner=None, evaluations=evaluations)
        )
    found = measure_uses(Plan(steps=(), routes=tuple(routes)), results, Ledger(tmp_path / "ledger"))
    assert [(each.target, each.split, each.statistic) for each in found] == [
        ("phone", "test", Count(value=Decimal(2))),
        ("watch", "test", Count(value=Decimal(2))),
    ]
