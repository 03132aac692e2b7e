"""Verifying costs little more than what it cannot do without: hashing, and importing what it derives verdicts with."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from pathlib import Path

from claim import Claim, of_pairs
from language import DEPLOYSPEC, ROOT, walls
from stopwatch import Run, run, taking_turns

sys.path.insert(0, str(ROOT / "tests"))
from sample_reports import DSSE_KEY, envelope, judged, measurements, passing, quality, target_report

from deployspec.digests import sha256_file
from deployspec.ir.evidence import Count
from deployspec.ir.report import Digest, Report

PAIRS = 11
TURNS = 3
TARGETS = ("one", "two", "three", "four", "five")
BLOCK = bytes(range(256)) * 4096
NEEDED = "import cryptography.hazmat.primitives.asymmetric.ec, scipy.special"


def verify_small() -> Iterator[Claim]:
    """Two targets, a few bytes each: against a Python that imports the libraries and does nothing with them."""
    with reported(sizes=dict.fromkeys(TARGETS[:2], 1)) as folder:
        imports = [sys.executable, "-c", NEEDED]
        pairs = taking_turns(lambda: verified(folder), lambda: run(imports), PAIRS)
    yield of_pairs("verify / import cryptography, scipy.special", walls(pairs), 1.5)


def verify_large() -> Iterator[Claim]:
    """Five targets of 200 MB: against sha256sum over the same files."""
    with reported(sizes=dict.fromkeys(TARGETS, 200_000_000 // len(BLOCK))) as folder:
        files = sorted(folder.glob("artifacts/*/model"))
        pairs = taking_turns(lambda: verified(folder), lambda: run(["sha256sum", *files]), TURNS)
    yield of_pairs("verify 5 targets of 1 GB / sha256sum", walls(pairs), 1.15)


def verified(folder: Path) -> Run:
    """Verify the report in the folder, at a moment at which it holds: its budgets may fail, 5 would be a doubt."""
    key = folder / "key.pub.pem"
    command = [DEPLOYSPEC, "verify", folder, "--public-key", key, "--at", "2026-03-02T00:00:00Z"]
    return run(command, exits=(0, 1))


@contextmanager
def reported(sizes: dict[str, int]) -> Iterator[Path]:
    """A folder as `check` leaves it: a signed report on targets whose artifacts have so many blocks of bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (target, blocks) in enumerate(sizes.items()):
            path = folder / "artifacts" / target / "model"
            path.parent.mkdir(parents=True)
            with path.open("wb") as stream:
                stream.write(bytes([number]))
                stream.writelines(BLOCK for _ in range(blocks))
        (folder / "key.pub.pem").write_bytes(DSSE_KEY.public.pem)
        (folder / "report.dsse.json").write_bytes(envelope(report(folder, tuple(sizes)), DSSE_KEY))
        yield folder


def report(folder: Path, names: tuple[str, ...]) -> Report:
    """Every target with the budgets and the evidence of the tests' passing report."""
    template = target_report("server")
    targets = tuple(replace(template, name=name, artifact=_digest(folder, name)) for name in names)
    found = tuple(
        replace(each, statistic=_size(folder, each.target)) if each.name == "size" else each
        for each in chain.from_iterable(measurements(name, quality()) for name in names)
    )
    return judged(replace(passing(), targets=targets, measurements=found))


def _size(folder: Path, target: str) -> Count:
    return Count(value=Decimal((folder / "artifacts" / target / "model").stat().st_size))


def _digest(folder: Path, target: str) -> Digest:
    return Digest(name="model", sha256=sha256_file(folder / "artifacts" / target / "model"))
