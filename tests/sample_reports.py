"""Reports made by hand, with real verdicts: one that passes, one that fails, one that proves too little."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

from deployspec.digests import sha256_bytes
from deployspec.ir.budget import BUDGETS, Budget
from deployspec.ir.evidence import (
    Classified,
    Count,
    EvidenceClass,
    Machine,
    Measurement,
    NotMeasured,
    Operators,
    PairedOutcomes,
    Processes,
    Rules,
    Share,
)
from deployspec.ir.report import Contract, Deviation, Digest, Report, StepRecord, TargetReport, write_time
from deployspec.ir.verdict import Result, Waiver
from deployspec.judge import conclude, judge
from deployspec.report import statement
from deployspec.trust import dsse
from deployspec.trust.keys import SigningKey
from deployspec.units import parse_bound

if TYPE_CHECKING:
    from deployspec.ir.evidence import Statistic

CHECKED_AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SIZE = 12_345
ARTIFACTS = {
    "server": ("digits.ts", b"a TorchScript archive".ljust(SIZE)),
    "android": ("digits.tflite", b"a flatbuffer".ljust(SIZE)),
}

DSSE_KEY = SigningKey(
    ec.derive_private_key(97358161215184420915383655311931858321456579547487070936769975997791359926199, ec.SECP256R1())
)
"""The example key that the DSSE protocol publishes. It signs what the tests commit, and nothing else."""

RULES = Rules(confidence=Decimal("0.95"), least={"quality": EvidenceClass.HOST, "latency": EvidenceClass.HOST})


def budget(name: str, limit: str, good: str | None = None, label: str | None = None) -> Budget:
    row = BUDGETS[name]
    return Budget(
        metric=name,
        limit=parse_bound(limit, row.dimension),
        good=parse_bound(good, row.dimension) if good else None,
        label=label,
        ceiling=row.ceiling,
        dimension=row.dimension,
    )


HELD = Contract(
    tolerance=Decimal("0.0001"),
    found=(
        Deviation(batch=1, difference=Decimal("0.0000031"), rms=Decimal("0.0000012"), agreement=Decimal(1)),
        Deviation(batch=16, difference=Decimal("0.00000472"), rms=Decimal("0.0000013"), agreement=Decimal(1)),
    ),
)

OPERATORS = (
    ("CONV_2D", 3),
    ("FULLY_CONNECTED", 2),
    ("MAX_POOL_2D", 2),
    ("ADD", 1),
    ("MUL", 1),
    ("RESHAPE", 1),
    ("TANH", 1),
)


def quality(common: int = 600, rare_found: int = 98, rare: int = 100) -> Classified:
    """Two classes: the common one is always found, the rare one `rare_found` times; the reference finds one more."""
    missed = rare - rare_found
    return Classified(
        labels=("common", "rare"),
        confusion=((common, 0), (missed, rare_found)),
        reference_confusion=((common, 0), (missed - 1, rare_found + 1)),
        paired=(
            PairedOutcomes(both=common, broken=0, repaired=0, neither=0),
            PairedOutcomes(both=rare_found, broken=1, repaired=0, neither=missed - 1),
        ),
        rejected=(
            PairedOutcomes(both=rare_found, broken=1, repaired=0, neither=missed - 1),
            PairedOutcomes(both=common, broken=0, repaired=0, neither=0),
        ),
    )


def measured(target: str, name: str, statistic: Statistic, evidence: EvidenceClass = EvidenceClass.HOST) -> Measurement:
    split = "test" if name in ("quality", "agreement") else ""
    return Measurement(
        target=target, name=name, statistic=statistic, evidence=evidence, split=split, runtime="torch 2.13.0"
    )


def measurements(target: str, table: Classified) -> tuple[Measurement, ...]:
    latencies = tuple(map(Decimal, ("3.102", "3.087", "3.141", "3.120", "3.098", "3.154")))
    return (
        measured(target, "size", Count(value=Decimal(SIZE)), EvidenceClass.STATIC),
        measured(target, "size_compressed", Count(value=Decimal(9_876)), EvidenceClass.STATIC),
        measured(target, "parameters", Count(value=Decimal(13_898)), EvidenceClass.STATIC),
        measured(target, "sparsity", Share(hits=6_900, n=13_800), EvidenceClass.STATIC),
        measured(target, "macs", Count(value=Decimal(351_000)), EvidenceClass.STATIC),
        measured(target, "undelegated_ops", Count(value=Decimal(2)), EvidenceClass.STATIC),
        measured(target, "operators", Operators(counts=OPERATORS), EvidenceClass.STATIC),
        measured(target, "quality", table),
        measured(target, "agreement", Share(hits=table.n - 1, n=table.n)),
        measured(target, "latency.p95", Processes(values=latencies, calls=100, contended=(False,) * 6)),
    )


BUDGETS_OF_EACH = (
    budget("size", "< 20 MB", good="< 1 MB"),
    budget("latency_p95", "< 100 ms"),
    budget("accuracy", ">= 90 %"),
    budget("recall", ">= 80 %", label="rare"),
    budget("accuracy_drop", "< 2 pp"),
)


def target_report(name: str, budgets: tuple[Budget, ...] = BUDGETS_OF_EACH) -> TargetReport:
    file, content = ARTIFACTS[name]
    return TargetReport(
        name=name,
        format="torchscript" if name == "server" else "tflite",
        budgets=budgets,
        rules=RULES,
        steps=("float", "float@test"),
        artifact=Digest(name=file, sha256=sha256_bytes(content)),
    )


def judged(report: Report) -> Report:
    """The report with the verdicts and the result that follow from it."""
    verdicts = tuple(
        chain.from_iterable(
            judge(each.name, each.budgets, report.measurements, each.rules, report.waivers, CHECKED_AT)
            for each in report.targets
        )
    )
    return replace(report, verdicts=verdicts, result=conclude(verdicts))


def passing() -> Report:
    return judged(
        Report(
            result=Result.UNPROVEN,
            model="digits",
            model_version="1.2.0",
            spec=Digest(name="digits.toml", sha256=sha256_bytes(b"the spec")),
            sources=(Digest(name="digits.safetensors", sha256=sha256_bytes(b"the weights")),),
            data=(Digest(name="test", sha256=sha256_bytes(b"the test split")),),
            policies=(),
            targets=(target_report("server"), target_report("android")),
            measurements=measurements("server", quality()) + measurements("android", quality()),
            verdicts=(),
            waivers=(),
            steps=(
                StepRecord(id="float", takes=("model",), gives="torchscript", result="built", seconds="1.204"),
                StepRecord(
                    id="float@test",
                    takes=("float", "data.test"),
                    gives="outputs",
                    result="cached",
                    seconds="0.310",
                    contract=HELD,
                ),
            ),
            tools=(("deployspec", "0.1.0"), ("torch", "2.13.0")),
            machine=Machine(
                system="Linux 6.1",
                architecture="x86_64",
                processor="a processor",
                cores=2,
                memory_bytes=8_000_000_000,
                python="3.11.9",
            ),
            findings=(),
            checked_at=write_time(CHECKED_AT),
            expires_at="2026-06-01T12:00:00Z",
        )
    )


def of_size(report: Report, target: str, size: int) -> Report:
    """The report where the artifact of `target` is said to have another size."""
    measurements = tuple(
        replace(each, statistic=Count(value=Decimal(size))) if (each.target, each.name) == (target, "size") else each
        for each in report.measurements
    )
    return judged(replace(report, measurements=measurements))


def failing() -> Report:
    """High accuracy, and a rare class that is hardly found: 3 of 25."""
    table = quality(common=1225, rare_found=3, rare=25)
    report = passing()
    kept = tuple(each for each in report.measurements if each.target == "server")
    return judged(
        replace(
            report,
            measurements=kept + measurements("android", table),
            findings=("class 'rare' has 25 of 1,250 samples: a model that never names it is 98 % accurate",),
        )
    )


WAIVER = Waiver(
    target="android",
    budget="latency_p95",
    reason="no phone in the lab until the move",
    approver="release@example.com",
    expires=date(2026, 3, 31),
)


def unmeasured(waivers: tuple[Waiver, ...] = ()) -> Report:
    """Nobody could measure the latency on one target; a waiver may accept that."""
    report = passing()
    absent = measured("android", "latency.p95", NotMeasured(reason="the runner gave no answer"))
    kept = tuple(each for each in report.measurements if (each.target, each.name) != ("android", "latency.p95"))
    return judged(replace(report, measurements=(*kept, absent), waivers=waivers))


def many(number: int, classes: int = 40) -> Report:
    """As many targets that differ in what they cost, each with a table of `classes` and a budget on every class."""
    report, seeds = passing(), random.Random(0)
    labels = tuple(f"class-{i}" for i in range(classes))
    budgets = (*BUDGETS_OF_EACH[:3], *(budget("recall", ">= 50 %", label=label) for label in labels))
    targets, found = [], list[Measurement]()
    for index in range(number):
        name = f"target-{index}"
        targets.append(replace(report.targets[0], name=name, budgets=budgets))
        times = tuple(Decimal(f"{(1 + index) * seeds.uniform(1, 1.2):.3f}") for _ in range(6))
        found += [replace(each, target=name) for each in report.measurements[:7] if each.name != "size"]
        found.append(measured(name, "size", Count(value=Decimal(10_000 * (1 + index))), EvidenceClass.STATIC))
        found.append(measured(name, "weights.int8", Count(value=Decimal(8_000 * (1 + index))), EvidenceClass.STATIC))
        found.append(measured(name, "quality", _spread(labels, seeds)))
        found += [
            measured(name, f"latency.{p}", Processes(values=times, calls=100, contended=(False,) * 6))
            for p in ("p50", "p90", "p95")
        ]
    return judged(replace(report, targets=tuple(targets), measurements=tuple(found)))


def _spread(labels: tuple[str, ...], seeds: random.Random) -> Classified:
    """A table of 50 samples a class, most of them right, the same for the reference."""
    right = [seeds.randint(35, 50) for _ in labels]
    rows = [[0] * len(labels) for _ in labels]
    for i, found in enumerate(right):
        rows[i][i] = found
        rows[i][(i + 1) % len(labels)] += 50 - found
    table = tuple(map(tuple, rows))
    paired = tuple(PairedOutcomes(both=found, broken=0, repaired=0, neither=50 - found) for found in right)
    return Classified(labels=labels, confusion=table, reference_confusion=table, paired=paired)


def sealed(payload: bytes, *keys: SigningKey) -> bytes:
    """An envelope around `payload`, signed by each key; without a key it is unsigned."""
    made = dsse.Envelope(payload)
    for key in keys:
        made = made.signed_by(key)
    return made.to_bytes()


def envelope(report: Report, *keys: SigningKey) -> bytes:
    return sealed(statement.to_bytes(report), *keys)
