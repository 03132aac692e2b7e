"""Passes change a model before or while it is lowered: a module each, and the functions that their lowerings name."""
