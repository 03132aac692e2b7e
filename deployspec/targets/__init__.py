"""Targets lower a representation to the format that ships; one file each."""
