"""Core ML's ML Programs evaluated on any machine: named arrays in, named arrays out, no Core ML and no macOS.

    from deployspec.evaluators.mlprogram import Mode, load

    program = load(Path("model.mlpackage"), mode=Mode.DECLARED)
    outputs = program(image=array)

What is computed is the specification's arithmetic on torch's CPU kernels, not a device's: good for accuracy and
agreement, never for a time. What is not implemented is refused by name, as `Unsupported`, on loading where possible.
"""

from deployspec.evaluators.mlprogram.faults import EvaluationFailed, Unsupported, WrongInput
from deployspec.evaluators.mlprogram.features import Feature
from deployspec.evaluators.mlprogram.numerics import Mode
from deployspec.evaluators.mlprogram.program import Program, load
from deployspec.evaluators.mlprogram.table import implemented
from deployspec.formats.mlpackage import UnreadableModel

__all__ = [
    "EvaluationFailed",
    "Feature",
    "Mode",
    "Program",
    "UnreadableModel",
    "Unsupported",
    "WrongInput",
    "implemented",
    "load",
]
