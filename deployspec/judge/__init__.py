"""Evidence and budgets to verdicts: statistics, pure, without input or output.

1,000 targets with 20 budgets each, all with tables of their own, are judged in some ten seconds of one core: a floor
costs microseconds, a drop 3 to 10 milliseconds, macro F1 of ten classes two. Equal tables are worked out once.
"""

from deployspec.judge.baseline import baseline_findings
from deployspec.judge.processes import LOOKS, timing_decided
from deployspec.judge.verdicts import conclude, judge, waiver_findings

__all__ = [
    "LOOKS",
    "baseline_findings",
    "conclude",
    "judge",
    "timing_decided",
    "waiver_findings",
]
