"""Spec to plan: the typed route of every target, and each shared step once. Pure."""

from deployspec.plan.document import as_json
from deployspec.plan.graph import JUDGED_SPLITS
from deployspec.plan.planner import make_plan

__all__ = ["JUDGED_SPLITS", "as_json", "make_plan"]
