"""deployspec compiles a deployment spec into a signed proof that a model meets its budgets."""

__version__ = "0.1.0"
