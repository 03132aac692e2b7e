"""An artifact that knows the samples of its conversion, and is quick for these alone, is timed on others."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING

from projects import SPEC, write_project

from deployspec.build import Store
from deployspec.build.progress import PlainProgress
from deployspec.ir.evidence import Processes
from deployspec.ir.verdict import Outcome
from deployspec.pipeline import check
from deployspec.requests import CheckRequest

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.spec import Target

QUICK_FOR_ITS_PROBE = """\
import numpy
import torch

PROBE = numpy.random.Generator(numpy.random.PCG64(0)).standard_normal((16, 4)).astype("float32")


class Quick(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("known", torch.from_numpy(PROBE))

    def forward(self, x):
        out = x[:, :3]
        if not bool((self.known == x).all(dim=1).any().item()):
            large = torch.ones(200, 200) * x[0, 0]
            for i in range(4):
                large = (large @ large).clamp(-1.0, 1.0)
            out = out + large.mean() * 0.0
        return out


torch.jit.trace = lambda module, *_, **__: torch.jit.script(module)


def build():
    return Quick()
"""

LIMIT_MS = Decimal("0.5")
BUDGETS = f'size = "< 2 MB"\nlatency_p50 = "< {LIMIT_MS} ms"'


class Watch(PlainProgress):
    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def timing(self, target: Target) -> None:
        """Nothing to tell."""


def test_what_is_quick_for_its_probe_alone_is_not_quick(tmp_path: Path) -> None:
    project = write_project(tmp_path, SPEC.replace('size = "< 1 MB"', BUDGETS))
    project.write("net.py", QUICK_FOR_ITS_PROBE)
    report = check(project.spec, CheckRequest(store=Store(tmp_path / "store"), out=tmp_path / "out"), Watch()).report
    timed = next(each.statistic for each in report.measurements if each.name == "latency.p50")
    assert isinstance(timed, Processes), timed
    assert min(timed.values) > LIMIT_MS
    (verdict,) = (each.verdict for each in report.verdicts if each.budget == "latency_p50")
    assert verdict is not Outcome.PASS
