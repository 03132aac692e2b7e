"""From the protobuf to a plan: constants decoded, names turned into slots, what nobody reads any more freed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from deployspec.evaluators.mlprogram.plan import KERNEL_FAULTS, Argument, Block, Constant, Operand, Slot, Step
from deployspec.evaluators.mlprogram.table import Operator, Site, find
from deployspec.formats.mlpackage import DType, Package, TensorType, UnreadableModel, tensor_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deployspec.evaluators.mlprogram.numerics import Numerics
    from deployspec.evaluators.mlprogram.plan import Settle

Scope: TypeAlias = dict[str, Operand]
"""What each name of the program stands for."""


@dataclass
class Preparation:
    """Prepares the blocks of one function."""

    package: Package
    numerics: Numerics
    opset: int
    slots: int = 0
    operators: Counter[str] = field(default_factory=Counter)

    def scope(self, named: Sequence[Any]) -> tuple[Scope, tuple[int, ...]]:
        """A scope in which each of `named` has a slot, and these slots."""
        slots = tuple(range(self.slots, self.slots + len(named)))
        self.slots += len(named)
        return {each.name: Slot(slot) for each, slot in zip(named, slots, strict=True)}, slots

    def block(self, spec: Any, outer: Scope, inputs: Sequence[Any]) -> Block:
        """The plan of a block within the scope around it; raises `Unsupported` and `UnreadableModel`."""
        own, slots = self.scope(inputs)
        scope = outer | own
        steps = [step for each in spec.operations for step in self._steps(each, scope)]
        outputs = tuple(_named(scope, each) for each in spec.outputs)
        kept = {each.index for each in outputs if isinstance(each, Slot)}
        filled = {*slots, *(slot for step in steps for slot in step.slots)}
        reads = kept.union(*(step.reads for step in steps)) - filled
        return Block(slots, _freeing(steps, filled - kept), outputs, frozenset(reads), frozenset(kept & filled))

    def _steps(self, spec: Any, scope: Scope) -> list[Step]:
        """The step of an operator; none if its value is known by now, then it enters the scope as a constant."""
        if spec.type == "const":
            scope.update({each.name: Constant(self._constant(spec.attributes["val"])) for each in spec.outputs})
            return []
        self.operators[spec.type] += 1
        operator = find(spec.type, self.opset)
        operands = self._operands(spec, scope)
        operator.check_inputs(operands)
        step = self._step(spec, operator, operands, scope)
        if not spec.type.startswith("constexpr_") or step.arguments:
            return [step]
        scope.update({each.name: Constant(value) for each, value in zip(spec.outputs, step.compute([]), strict=True)})
        return []

    def _step(self, spec: Any, operator: Operator, operands: Mapping[str, tuple[Operand, ...]], scope: Scope) -> Step:
        results = tuple(_declared(each.type) for each in spec.outputs)
        blocks = tuple(self.block(each, scope, each.inputs) for each in spec.blocks)
        name = spec.outputs[0].name if spec.outputs else spec.type
        site = Site(operator.name, name, self.opset, self.numerics, results, tuple(each.run for each in blocks))
        arguments = {
            key: Argument(each, key in operator.tuples or len(each) > 1, operator.converts[key])
            for key, each in operands.items()
            if key not in operator.idle
        }
        read = {each.index for group in operands.values() for each in group if isinstance(each, Slot)}
        known = {key: each for key, each in arguments.items() if all(isinstance(o, Constant) for o in each.operands)}
        bound: dict[str, Any] = {key: _known(site, each) for key, each in known.items()}
        if "site" in operator.asks:
            bound["site"] = site
        return Step(
            site=site,
            call=partial(operator.kernel, **bound),
            arguments=tuple((key, each) for key, each in arguments.items() if key not in known),
            asks_frame="frame" in operator.asks,
            settle=tuple(_settling(site, each, operator.exact) for each in results),
            slots=self._fill(spec, scope),
            reads=frozenset(read).union(*(each.reads for each in blocks)),
        )

    def _operands(self, spec: Any, scope: Scope) -> dict[str, tuple[Operand, ...]]:
        """The operands of an operator, by input. Before iOS 18 compressed constants came as attributes."""
        operands: dict[str, tuple[Operand, ...]] = {
            key: (Constant(self._constant(value)),) for key, value in spec.attributes.items() if key != "name"
        }
        for key, argument in spec.inputs.items():
            operands[key] = tuple(self._operand(each, scope) for each in argument.arguments)
        return operands

    def _operand(self, binding: Any, scope: Scope) -> Operand:
        if binding.WhichOneof("binding") == "value":
            return Constant(self._constant(binding.value))
        return _named(scope, binding.name)

    def _constant(self, value: Any) -> Any:
        """A constant as kernels take it: a tensor, text, or a list of Python values."""
        decoded = self.package.decode(value)
        if isinstance(decoded, np.ndarray) and decoded.dtype != object:
            return self.numerics.constant(decoded, tensor_type(value.type).dtype)
        return _plain(decoded)

    def _fill(self, spec: Any, scope: Scope) -> tuple[int, ...]:
        """New slots for the outputs of an operator, entered into the scope."""
        named, slots = self.scope(spec.outputs)
        scope.update(named)
        return slots


def _plain(decoded: Any) -> Any:
    if isinstance(decoded, list):
        return [_plain(each) for each in decoded]
    if isinstance(decoded, np.ndarray):
        return decoded.tolist()
    raise UnreadableModel("a constant that is a dictionary is nothing that an operator takes: the model is damaged")


def _settling(site: Site, declared: TensorType | None, exact: bool) -> Settle:
    """What brings a result into its declared type and checks its shape; nothing for text, lists and dictionaries."""
    if declared is None or declared.dtype is DType.STRING:
        return lambda value: value
    numerics, held = site.numerics, site.numerics.dtype(declared.dtype)

    def settle(value: Any) -> Any:
        if not (declared.any_rank or _fits(value.shape, declared.shape)):
            raise site.fault(f"it gives {list(value.shape)} where the program declares {list(declared.shape)}")
        return value if exact and value.dtype == held else numerics.settle(value, declared.dtype)

    return settle


def _fits(shape: Sequence[int], declared: tuple[int | None, ...]) -> bool:
    return len(shape) == len(declared) and all(b in (a, None) for a, b in zip(shape, declared, strict=True))


def _freeing(steps: Sequence[Step], mortal: set[int]) -> tuple[Step, ...]:
    """The steps, each freeing those of the `mortal` slots that no later one reads."""
    last = {slot: at for at, step in enumerate(steps) for slot in (*step.reads, *step.slots)}
    frees: dict[int, list[int]] = {}
    for slot in mortal & last.keys():
        frees.setdefault(last[slot], []).append(slot)
    return tuple(replace(step, frees=tuple(frees.get(at, ()))) for at, step in enumerate(steps))


def _known(site: Site, argument: Argument) -> Any:
    try:
        return argument.read([])
    except KERNEL_FAULTS as error:
        raise site.fault(f"a constant input is not of its kind: {error}") from error


def _named(scope: Scope, name: str) -> Operand:
    if name not in scope:
        raise UnreadableModel(f"the program reads '{name}' before anything defines it: it is damaged")
    return scope[name]


def _declared(value_type: Any) -> TensorType | None:
    return tensor_type(value_type) if value_type.WhichOneof("type") == "tensorType" else None
