"""Run coremltools' own operator tests against the evaluator, and keep what came of them.

    python tests/conformance_coreml/coreml_run.py            all of them, about an hour on one core; rewrites the data
    python tests/conformance_coreml/coreml_run.py --sample   the fixed sample, a few minutes; writes nothing

The data: how often the operators of each operator set match (beside the evaluator, which names those of a program that
no matching case covers); the sample, one fp32 and one fp16 case of each test that compares numbers and one of each
operator; and the names of the operators in coremltools' registry.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from coreml_compare import Outcome

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
SAMPLE: Final = HERE / "sample.json"
OPERATORS: Final = HERE / "operators.json"
CONFORMANCE: Final = ROOT / "deployspec" / "evaluators" / "mlprogram" / "conformance.json"
TESTS: Final = "coremltools.converters.mil.mil.ops.tests"

ENVIRONMENT: Final = {
    "PYMIL_TEST_TARGETS": "mlprogram",
    "INCLUDE_MIL_FP32_UNIT_TESTS": "1",
    "RUN_BACKWARD_COMPATIBILITY": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
}
"""coremltools' switches for all that it has of ML Programs: both precisions, every operator set."""

OPTIONS: Final = ("-q", "--tb=no", "--disable-warnings", "-p", "no:cacheprovider", "-p", "no:timeout")


@dataclass(frozen=True)
class Record:
    """A comparison, as the plugin writes it."""

    case: str
    """The name of the test case."""
    outcome: Outcome
    why: str
    opset: int
    operators: tuple[str, ...]
    precision: str

    @property
    def test(self) -> str:
        """The test's name without its parameters."""
        return self.case.partition("[")[0]


def digest(case: str) -> str:
    """A short name of a test case, the same on every machine."""
    return sha256(case.encode()).hexdigest()[:12]


def run(*options: str) -> list[Record]:
    """What came of every comparison; raises RuntimeError if pytest itself ends in anything but a verdict."""
    with tempfile.TemporaryDirectory() as scratch:
        settings, results = Path(scratch) / "pytest.ini", Path(scratch) / "results.jsonl"
        settings.write_text("[pytest]\n")
        plugin = ("-p", "coreml_plugin", "--coreml-results", str(results))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *OPTIONS, "-c", str(settings), *plugin, *options, "--pyargs", TESTS],
            cwd=scratch,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(HERE), "TMPDIR": scratch},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1):  # 1: a test failed, perhaps one that compares nothing
            raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return [_record(json.loads(line)) for line in results.read_text().splitlines()]


def tally(records: list[Record]) -> Counter[Outcome]:
    """How many comparisons ended in what."""
    return Counter(each.outcome for each in records)


def conformance(records: list[Record], *, complete: bool) -> dict[str, Any]:
    """What the evaluator and the documentation keep: outcomes by operator and operator set, skipped cases by rule.

    A comparison counts for every operator of its program. `complete`: no case of coremltools' tests was left out.
    """
    counts = Counter((op, each.opset, each.outcome) for each in records for op in each.operators)
    operators: dict[str, dict[str, dict[str, int]]] = {}
    for (op, opset, outcome), count in sorted(counts.items()):
        operators.setdefault(op, {}).setdefault(str(opset), {})[outcome] = count
    return {
        "coremltools": version("coremltools"),
        "complete": complete,
        "tests": len({each.test for each in records}),
        "outcomes": {outcome: tally(records)[outcome] for outcome in Outcome},
        "skipped": dict(sorted(Counter(each.why for each in records if each.outcome is Outcome.SKIPPED).items())),
        "operators": operators,
    }


def sample(records: list[Record]) -> dict[str, Any]:
    """One case for each test and precision, and one for each operator that these leave out.

    Always the first by digest: no case is picked for what came of it.
    """
    ordered = sorted(records, key=lambda record: digest(record.case))
    tests: dict[str, dict[str, str]] = {}
    for each in ordered:
        tests.setdefault(each.test, {}).setdefault(each.precision, digest(each.case))
    chosen = {case for cases in tests.values() for case in cases.values()}
    seen = {op for each in ordered if digest(each.case) in chosen for op in each.operators}
    operators = {op: digest(each.case) for each in reversed(ordered) for op in each.operators if op not in seen}
    return {
        "coremltools": version("coremltools"),
        "tests": dict(sorted(tests.items())),
        "operators": dict(sorted(operators.items())),
    }


def sampled() -> set[str]:
    """The digests of the cases in the sample."""
    data = json.loads(SAMPLE.read_text())
    return {case for cases in data["tests"].values() for case in cases.values()} | set(data["operators"].values())


def registered() -> dict[str, Any]:
    """The core operators of coremltools' registry, of all operator sets up to iOS 18."""
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    return {"coremltools": version("coremltools"), "operators": sorted(SSAOpRegistry.core_ops)}


def _record(line: dict[str, Any]) -> Record:
    return Record(**{**line, "outcome": Outcome(line["outcome"]), "operators": tuple(line["operators"])})


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1) + "\n")


def main() -> int:
    """Do what the command line asks; 1 if any case mismatches or errs."""
    parser = argparse.ArgumentParser(description="Run coremltools' operator tests against the Core ML evaluator.")
    parser.add_argument("--sample", action="store_true", help="run the fixed sample and write nothing")
    parser.add_argument("--workers", default="1", help="how many processes share the work (a number or auto)")
    arguments = parser.parse_args()
    records = run(
        *(["--coreml-sample"] if arguments.sample else []),
        *([] if arguments.workers == "1" else ["-n", arguments.workers]),
    )
    if not arguments.sample:
        _write(CONFORMANCE, conformance(records, complete=True))
        _write(SAMPLE, sample(records))
        _write(OPERATORS, registered())
    counts = tally(records)
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome))
    wrong = [each for each in records if each.outcome in (Outcome.MISMATCH, Outcome.ERROR)]
    print("".join(f"{each.outcome}: {each.case}\n  {each.why}\n" for each in wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
