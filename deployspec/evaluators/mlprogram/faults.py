"""Why a program gives no outputs."""

from __future__ import annotations

from deployspec.errors import DeploySpecError


class Unsupported(DeploySpecError):
    """An operator, or an option of it, that is not implemented; `op` and `why` name it."""

    def __init__(self, op: str, why: str) -> None:
        super().__init__(f"the evaluator does not support '{op}': {why}")
        self.op = op
        self.why = why


class UnknownOption(Exception):
    """A kernel does not implement the value of an option; its operator turns this into `Unsupported`."""


class WrongInput(DeploySpecError):
    """An input's name, shape or dtype is not what the model declares."""


class EvaluationFailed(DeploySpecError):
    """An operator could not be evaluated: the program breaks its own types, or Core ML leaves the case undefined."""

    def __init__(self, op: str, name: str, why: str) -> None:
        super().__init__(f"operator '{op}' ('{name}') cannot be evaluated: {why}")
        self.op = op
        self.name = name
        self.why = why
