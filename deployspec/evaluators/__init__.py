"""Evaluators: what a model means by its format's specification, computed without its vendor's runtime."""
