"""Artifacts to evidence: one module per kind, all of it as statistics that a reader can judge again."""

from deployspec.measure.artifacts import measure, untimed
from deployspec.measure.ledger import Ledger, measure_uses
from deployspec.measure.samples import SampleStore
from deployspec.measure.timings import Clock, measure_timing

__all__ = ["Clock", "Ledger", "SampleStore", "measure", "measure_timing", "measure_uses", "untimed"]
