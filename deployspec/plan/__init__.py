"""Spec to plan: the typed route of every target, and each shared step once. Pure."""

from deployspec.plan.document import as_json
from deployspec.plan.planner import JUDGED_SPLITS, make_plan
from deployspec.plan.routes import NoRoute, find_route

__all__ = ["JUDGED_SPLITS", "NoRoute", "as_json", "find_route", "make_plan"]
