"""Text to Spec: TOML, units, budgets, policies; every fault at once, each with its place."""

from deployspec.parse.kinds import Kind, kind_of
from deployspec.parse.notes import missing_data, notes
from deployspec.parse.spec import check_pin, parse_spec, spec_in

__all__ = ["Kind", "check_pin", "kind_of", "missing_data", "notes", "parse_spec", "spec_in"]
