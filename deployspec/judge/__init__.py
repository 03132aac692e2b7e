"""Evidence and budgets to verdicts: statistics, pure, without input or output.

1,000 targets with 20 budgets each are judged in minutes: a floor costs microseconds, a drop 10 to 80 milliseconds,
a macro figure of ten classes a fifth of a second, and figures that several budgets share are worked out once.
"""

from deployspec.judge.decidable import Decidable, SplitSupport, decidable
from deployspec.judge.looks import timing_decided
from deployspec.judge.order import LOOKS
from deployspec.judge.verdicts import conclude, judge, waiver_findings

__all__ = [
    "LOOKS",
    "Decidable",
    "SplitSupport",
    "conclude",
    "decidable",
    "judge",
    "timing_decided",
    "waiver_findings",
]
