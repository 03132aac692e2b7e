"""What was measured here beside what was handed in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sample_evidence import measured, processes

from deployspec.handed_in import Handed, merged
from deployspec.ir.device import MeasuredOn
from deployspec.ir.evidence import EvidenceClass, Measurement, NotMeasured
from deployspec.ir.evidence_file import Artifact, Run
from deployspec.ir.report import Digest, Import

FILE = Digest(name="lab.json", sha256="0" * 64)
RECORD = Import(file=FILE, signers=(), target="phone", artifact=FILE, stated=EvidenceClass.HOST)
RUN = Run(target="phone", artifact=Artifact(name=FILE.name, sha256=FILE.sha256), evidence=MeasuredOn.HOST)
HERE = measured("latency.p95", processes(1))


def handed(figure: Measurement) -> Handed:
    return Handed(RECORD, RUN, (replace(figure, source=FILE.sha256),), Path("lab.json"), "/runs/0")


def test_of_one_class_what_was_measured_here_stands() -> None:
    assert merged([HERE], [handed(HERE)]) == (HERE,)


def test_what_could_not_be_measured_here_gives_way_to_what_somebody_measured() -> None:
    run = handed(HERE)
    assert merged([replace(HERE, statistic=NotMeasured(reason="it crashed"))], [run]) == run.figures


def test_figures_of_another_class_or_split_stand_beside_it() -> None:
    for other in (replace(HERE, evidence=EvidenceClass.DEVICE), replace(HERE, split="field")):
        run = handed(other)
        assert merged([HERE], [run]) == (HERE, *run.figures)
