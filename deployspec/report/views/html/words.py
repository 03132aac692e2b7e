"""The words of the page that explain what its short ones mean."""

from __future__ import annotations

from typing import Final

from deployspec.ir.evidence import EvidenceClass, Promise
from deployspec.ir.verdict import Outcome

MARKS: Final = {
    Outcome.PASS: "✓",
    Outcome.WARN: "!",
    Outcome.FAIL: "✗",
    Outcome.INCONCLUSIVE: "?",
    Outcome.NOT_MEASURED: "–",
    Outcome.WAIVED: "~",
}
"""A sign for each outcome, so that it is told without colour and before it is read."""

OUTCOMES: Final = {
    Outcome.PASS: "The bound on the bad side of the estimate keeps the limit: the budget holds.",
    Outcome.WARN: "The limit is kept, the good band within it is not proven.",
    Outcome.FAIL: "The bound on the good side breaks the limit: the budget does not hold.",
    Outcome.INCONCLUSIVE: "The limit lies within the interval: this evidence decides neither way.",
    Outcome.NOT_MEASURED: "There is no figure, or none from evidence that the spec accepts. It never passes.",
    Outcome.WAIVED: "Somebody who is named accepts that this budget does not hold, until a day that is named.",
}
"""What each outcome says."""

CLASSES: Final = {
    EvidenceClass.DEVICE: "measured on the device that the target names",
    EvidenceClass.EMULATOR: "measured on an emulator of it; counts for quality, never for time, memory or energy",
    EvidenceClass.HOST: "the vendor's runtime ran the artifact on the machine of the check, or of whoever handed it in",
    EvidenceClass.REFERENCE: "an evaluator that is not the vendor's runtime ran the artifact",
    EvidenceClass.STATIC: "read from the artifact's own bytes, or counted over the data",
    EvidenceClass.CLAIMED: "handed in by somebody whom no trusted signature vouches for",
}
"""Where a figure of each class comes from."""

PROMISES: Final = {
    Promise.ANSWERS: "answers every legal input",
    Promise.FINITE: "answers without NaN or infinity",
    Promise.FORM: "keeps shape and dtype in every batch",
    Promise.REPEATS: "repeats itself bit for bit within a process",
    Promise.PROCESSES: "repeats itself bit for bit in another process",
}
"""What a stable artifact keeps."""
