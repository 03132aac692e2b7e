"""What a view tells beneath a verdict is of the measurement that decided it, not of the first one there is."""

from __future__ import annotations

from dataclasses import replace

from sample_evidence import quality, table
from sample_reports import budget, judged, passing, target_report

from deployspec.ir.evidence import EvidenceClass
from deployspec.report.confusions import confusions
from deployspec.report.decisive import decisive
from deployspec.report.rows import rows

RECALL = budget("recall", ">= 80 %", label="b")
HERE = replace(quality(table([[50, 0], [10, 40]], "ab", reference=[[50, 0], [20, 30]])), target="server")
FEWER = replace(HERE, variant="without near-duplicates", statistic=table([[40, 0], [0, 30]], "ab"))
DEVICE = replace(
    HERE,
    statistic=table([[50, 0], [40, 10]], "ab", reference=[[50, 0], [5, 45]]),
    evidence=EvidenceClass.DEVICE,
    source="f" * 64,
)


def test_the_devices_confusions_and_its_reference_stand_with_the_devices_verdict() -> None:
    target = target_report("server", (RECALL,))
    report = judged(replace(passing(), targets=(target,), measurements=(HERE, DEVICE)))
    (row,) = rows(report, target)
    assert (row.evidence, row.estimate, row.reference) == ("device", "20.00 %", "90.00 %")
    assert confusions(report, target) == ("class 'b': 40 of 50 missed, called 'a' (40x)",)
    (alone,) = rows(judged(replace(report, measurements=(HERE,))), target)
    assert (alone.evidence, alone.reference) == ("host", "60.00 %")


def test_the_plain_way_of_counting_comes_first_and_other_targets_never() -> None:
    target = target_report("server", (RECALL,))
    (verdict,) = judged(replace(passing(), targets=(target,), measurements=(HERE,))).verdicts
    other = replace(HERE, target="phone")
    assert decisive((other, FEWER, DEVICE, HERE), verdict) == [HERE, FEWER]
