"""Text to Spec: TOML, units, budgets, policies; every fault at once, each with its place."""

from deployspec.parse.notes import missing_data, notes
from deployspec.parse.spec import check_pin, parse_spec

__all__ = ["check_pin", "missing_data", "notes", "parse_spec"]
