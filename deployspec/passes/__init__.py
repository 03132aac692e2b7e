"""Passes change a model before or while it is lowered; one file each."""
