"""Does a noisy machine flip a verdict? `python benches/noise.py [--runs N]`, on a machine with nothing else to do.

First the truth: the median call of a small network on the quiet machine, in processes that nothing disturbed (the host
of a virtual machine has others to serve). Then, beside two programs that keep a core each busy half the time, the
protocol of `check` is run again and again, against a budget 15 % above the true median, which must never fail, and one
15 % below, which must never pass; what neither proves is inconclusive, which is allowed and counted. Ratios are taken
of the network against itself, and against one of twice its width. Exits 1 when a bar is missed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median

import torch
from claim import COLUMNS, Claim

from deployspec.cli.model_files import inspector_of, read, target_of
from deployspec.ir.budget import BUDGETS, Budget
from deployspec.ir.evidence import Measurement, Processes, Rules
from deployspec.ir.structure import End
from deployspec.ir.verdict import Outcome
from deployspec.judge import LOOKS, judge, timing_decided
from deployspec.judge.processes import median_bounds
from deployspec.lanes.host import HostLane
from deployspec.measure.file import File, drawn, timed_file
from deployspec.measure.timing import Timed, time_artifact
from deployspec.units import parse_bound

RUNS = 30
NEAR = Decimal("0.15")
RATIO_PROCESSES = LOOKS[0]
TRIES = 10
CONFIDENT = Rules(confidence=Decimal("0.95"), least={})
FORMAT = "torchscript"

# A tenth of a millisecond to a second: shorter and longer than a call, than a process, than a whole run.
BUSY_HALF_THE_TIME = """
import random, sys, time
generator = random.Random(int(sys.argv[1]))
while True:
    seconds = 10 ** generator.uniform(-4, 0)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    time.sleep(seconds)
"""


def noise(runs: int = RUNS) -> Iterator[Claim]:
    """What must hold on a noisy machine."""
    with tempfile.TemporaryDirectory() as folder, HostLane() as lane:
        narrow, wide = (_file(Path(folder), width) for width in (16, 32))
        alone = _timed(narrow, Path(folder, "alone"))
        truth = _truth(alone, lane)
        against = {name: _timed(narrow, Path(folder, name), other) for name, other in (("A", narrow), ("B", wide))}
        with _noise():
            verdicts = [_verdicts(alone, lane, truth) for _ in range(runs)]
            ratios = {name: [_ratios(timed, lane) for _ in range(runs)] for name, timed in against.items()}
    yield from _claims(runs, truth, verdicts, ratios)


@dataclass(frozen=True)
class Verdicts:
    """Of one run: the budget above the truth and the one below it, and how many processes it took."""

    above: Outcome
    below: Outcome
    processes: int
    contended: int


def _claims(
    runs: int, truth: Decimal, verdicts: list[Verdicts], ratios: dict[str, list[list[Decimal]]]
) -> Iterator[Claim]:
    above, below = Counter(each.above for each in verdicts), Counter(each.below for each in verdicts)
    _tell(runs, truth, above, below, verdicts)
    for name, count in (
        ("fails 15 % above the truth", above[Outcome.FAIL]),
        ("passes 15 % below", below[Outcome.PASS]),
    ):
        yield Claim(name=name, ours=count, theirs=runs, ratio=count / runs, bar=0, unit="")
    inside = sum(_holds_one(each) for each in ratios["A"])
    name = "A/A: intervals that contain 1"
    yield Claim(name=name, ours=inside, theirs=runs, ratio=inside / runs, bar=0.8, unit="", at_least=True)
    known = [median(each) for each in ratios["B"]]
    low, high = float(min(known)), float(max(known))
    yield Claim(name="A/B: the largest ratio / the least", ours=high, theirs=low, ratio=high / low, bar=1.05, unit="")


def _tell(
    runs: int, truth: Decimal, above: Counter[Outcome], below: Counter[Outcome], verdicts: list[Verdicts]
) -> None:
    print(f"true median {truth * 1000:.1f} us; {runs} runs beside the noise")
    for name, counts in (("15 % above", above), ("15 % below", below)):
        print(f"  {name}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    processes, contended = (sum(getattr(each, kind) for each in verdicts) for kind in ("processes", "contended"))
    print(f"  {processes / runs:.1f} processes a run, {contended / processes:.0%} of them disturbed")


def _file(folder: Path, width: int) -> File:
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, width, 3), torch.nn.ReLU(), torch.nn.Conv2d(width, width, 3)]
    path = folder / f"{width}.ts.pt"
    sample = torch.rand(1, 3, 24, 24)
    torch.jit.freeze(torch.jit.trace(torch.nn.Sequential(*layers).eval(), sample)).save(path)
    ends = (End(name="", shape=tuple(sample.shape), dtype="float32"),)
    structure = replace(read(path, inspector_of(FORMAT), ()), inputs=ends)
    return File(path=path, structure=structure, runner=target_of(FORMAT).runner())


def _timed(file: File, folder: Path, baseline: File | None = None) -> Timed:
    folder.mkdir()
    return timed_file(file, drawn(file.structure), folder, baseline=baseline, calls=100, time_limit_s=600)


def _truth(timed: Timed, lane: HostLane) -> Decimal:
    """Of as many undisturbed processes as the first look has, whatever that takes; of some hundred at most."""
    found: list[Decimal] = []
    for _ in range(TRIES):
        calls = _statistic(time_artifact(timed, lane, LOOKS[-1:], lambda _: True)[1], "latency.p50")
        found += [value for value, disturbed in zip(calls.values, calls.contended, strict=True) if not disturbed]
        if len(found) >= LOOKS[0]:
            return median(found)
    raise SystemExit(f"{len(found)} of {TRIES * LOOKS[-1]} processes were undisturbed: this machine is never quiet")


def _verdicts(timed: Timed, lane: HostLane, truth: Decimal) -> Verdicts:
    """One run, look by look, until both budgets are decided."""
    budgets = [_budget(truth * (1 + NEAR)), _budget(truth * (1 - NEAR))]
    found = time_artifact(timed, lane, LOOKS, lambda found: timing_decided(budgets, found, CONFIDENT))[1]
    above, below = judge(timed.target, budgets, found, CONFIDENT, (), datetime.now(UTC))
    calls = _statistic(found, "latency.p50")
    return Verdicts(above.verdict, below.verdict, len(calls.values), sum(calls.contended))


def _budget(limit_ms: Decimal) -> Budget:
    row = BUDGETS["latency_p50"]
    return Budget(metric=row.name, limit=parse_bound(f"< {limit_ms:.6f} ms", row.dimension), dimension=row.dimension)


def _ratios(timed: Timed, lane: HostLane) -> list[Decimal]:
    """One ratio a process."""
    found = time_artifact(timed, lane, (RATIO_PROCESSES,), lambda _: True)[1]
    return [1 - reduction for reduction in _statistic(found, "latency_reduction").values]


def _holds_one(ratios: Sequence[Decimal]) -> bool:
    bounds = median_bounds(ratios, 0.05)
    return bounds.lower <= 1 <= bounds.upper


def _statistic(found: Sequence[Measurement], name: str) -> Processes:
    statistic = next(each.statistic for each in found if each.name == name)
    assert isinstance(statistic, Processes), statistic
    return statistic


@contextmanager
def _noise() -> Iterator[None]:
    """A program on each core, for as long as the block runs."""
    cores = sorted(os.sched_getaffinity(0))
    started = [subprocess.Popen([sys.executable, "-c", BUSY_HALF_THE_TIME, str(core)]) for core in cores]
    try:
        for program, core in zip(started, cores, strict=True):
            os.sched_setaffinity(program.pid, {core})
        yield
    finally:
        for program in started:
            program.kill()
            program.wait()


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N")
    claims = list(noise(parser.parse_args().runs))
    for cells in (COLUMNS, *(claim.row() for claim in claims)):
        print("".join(f"{cell:<38}" if i == 0 else f"{cell:>12}" for i, cell in enumerate(cells)))
    return 0 if all(claim.holds for claim in claims) else 1


if __name__ == "__main__":
    sys.exit(main())
