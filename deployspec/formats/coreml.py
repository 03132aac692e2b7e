"""Inspects an .mlpackage by Core ML's own schema, in milliseconds: neither Core ML nor coremltools' converters run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from deployspec.errors import UnreadableModel
from deployspec.formats import coreml_hazards
from deployspec.formats.coreml_macs import flat, multiply_accumulates
from deployspec.formats.coreml_weights import FLOATS, Weight, read_weights
from deployspec.formats.mlpackage import Package, TensorType, open_package, tensor_type
from deployspec.ir.structure import End, Structure, ranked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from deployspec.ir.model import Model

_MINIMUM: Final = {6: "iOS15", 7: "iOS16", 8: "iOS17", 9: "iOS18"}
"""By the specification's version."""

_MANY_ZEROS: Final = 0.25


def inspect(artifact: Path, model: Model) -> Structure:
    """What the package holds, its default function where it has several.

    Operators are counted without constants, and with what expands compressed weights. Raises UnreadableModel for
    what is no whole ML Program: every weight is read once, to be sure.
    """
    del model  # the package declares its own ends and shapes
    package = open_package(artifact)
    try:
        return _inspected(package)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # A hostile program can be wrong in more places than are worth a sentence each.
        raise UnreadableModel(f"{artifact}: its program does not add up ({error}): convert it again") from error


def _inspected(package: Package) -> Structure:
    function, block = _entry(package)
    operations = list(flat(block))
    weights = list(read_weights(package, operations))
    types = _types(function, operations)
    count, reason = multiply_accumulates(block, types)
    kernels = [each for each in weights if len(each.shape) > 1]
    return Structure(
        inputs=_ends([each.name for each in _description(package).input], types),
        outputs=_ends([each.name for each in _description(package).output], types),
        operators=ranked(Counter(op.type for op in operations if op.type != "const")),
        parameters=sum(each.elements for each in weights),
        kernel_elements=sum(each.elements for each in kernels),
        kernel_zeros=sum(each.zeros for each in kernels),
        weight_bytes=_bytes_by_kind(weights),
        macs=count,
        macs_reason=reason,
        minimum=_MINIMUM[package.spec_version],
        findings=(
            *coreml_hazards.findings(coreml_hazards.Graph(package, operations, types)),
            *_stored_zeros(kernels),
        ),
    )


def _entry(package: Package) -> tuple[Any, Any]:
    """The function that runs unless another is asked for, and its block for the newest operator set that it has."""
    program, name = package.program, package.model.description.defaultFunctionName or "main"
    if name not in program.functions:
        raise UnreadableModel(f"{package.root}: the program has no function '{name}': the model is damaged")
    function = program.functions[name]
    if function.opset not in function.block_specializations:
        raise UnreadableModel(f"{package.root}: '{name}' has no code for the operators '{function.opset}': damaged")
    return function, function.block_specializations[function.opset]


def _description(package: Package) -> Any:
    """The ends as callers see them: a package of several functions describes each by itself."""
    description = package.model.description
    named = [each for each in description.functions if each.name == description.defaultFunctionName]
    return named[0] if named else description


def _types(function: Any, operations: Sequence[Any]) -> dict[str, TensorType]:
    """The tensors by their names."""
    declared = [*function.inputs, *(output for op in operations for output in op.outputs)]
    kinds = ("tensorType", "stateType")
    return {each.name: tensor_type(each.type) for each in declared if each.type.WhichOneof("type") in kinds}


def _ends(names: Sequence[str], types: dict[str, TensorType]) -> tuple[End, ...]:
    """Raises UnreadableModel for a name that the program does not know."""
    for name in names:
        if name not in types:
            raise UnreadableModel(f"the model describes '{name}', which its program does not have: damaged")
    return tuple(_end(name, types[name]) for name in names)


def _end(name: str, kind: TensorType) -> End:
    shape = tuple(-1 if size is None else size for size in kind.shape)
    return End(name=name, shape=shape, dtype=FLOATS.get(kind.dtype, kind.dtype.value))


def _bytes_by_kind(weights: Sequence[Weight]) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for each in weights:
        found[each.stored] += each.size_bytes
    return ranked(found)


def _stored_zeros(kernels: Sequence[Weight]) -> Iterator[str]:
    """A pruned model whose zeros take as much space as any other value."""
    elements = sum(each.elements for each in kernels)
    zeros = sum(each.zeros for each in kernels if not each.stored.startswith("sparse"))
    if elements and zeros / elements >= _MANY_ZEROS:
        yield (
            f"{zeros:,} of {elements:,} weights are zeros that take as much space as others: the operators of iOS 16 "
            "leave them out of float weights, those of iOS 18 also of quantized ones"
        )
