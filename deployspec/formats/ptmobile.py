"""PyTorch Mobile's archive, read without torch: the bytecode that the lite interpreter runs, and its constants.

The bytecode is a stack machine's. Freezing leaves one function without loops: the declared shapes are led through it.
Source: torch, torch/csrc/jit/mobile/interpreter.cpp and torch/csrc/jit/runtime/instruction.h.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployspec.formats.torch_archive import open_archive
from deployspec.formats.torch_operators import Unknown, Work, declared_shapes
from deployspec.formats.torch_shapes import OPAQUE
from deployspec.ir.structure import Structure, ranked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from deployspec.formats.torch_archive import Archive
    from deployspec.ir.model import Model


@dataclass(frozen=True)
class _Function:
    """A function of the bytecode; `operators` are name, overload and number of arguments."""

    name: str
    instructions: Sequence[tuple[str, int, int]]
    operators: Sequence[tuple[Any, ...]]
    constants: Sequence[Any]
    arguments: int
    results: int


def inspect(artifact: Path, model: Model) -> Structure:
    """What is in the archive. Raises UnreadableModel."""
    archive = open_archive(artifact)
    functions, module = _functions(archive), archive.unpickled("data.pkl")
    forward = next((each for each in functions if each.name.endswith(".forward")), None)
    if forward is None:
        raise archive.fault("its bytecode has no function 'forward'")
    work = Work(archive)
    macs, reason = work.of(lambda: _Machine(work, forward).run([module, *declared_shapes(model)]))
    weights = archive.weigh([module, *(each.constants for each in functions)])
    return Structure(
        inputs=archive.signature("inputs", forward.arguments - 1),
        outputs=archive.signature("outputs", forward.results),
        operators=ranked(Counter(name for each in functions for name in _operators(each))),
        parameters=weights.parameters,
        kernel_elements=weights.kernel_elements,
        kernel_zeros=weights.kernel_zeros,
        weight_bytes=weights.bytes,
        macs=macs,
        macs_reason=reason,
    )


def _functions(archive: Archive) -> list[_Function]:
    """The version comes first, then for each function its name, its tables and its schema."""
    try:
        return [_function(*each) for each in archive.unpickled("bytecode.pkl")[1:]]
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        raise archive.fault("'bytecode.pkl' is no bytecode of torch's") from None


def _function(name: str, tables: Any, schema: Any) -> _Function:
    held, ends = dict(tables), dict(schema)
    returned = [dict(each)["type"] for each in ends["returns"]]
    return _Function(
        name=str(name),
        instructions=[(str(code), int(x), int(n)) for code, x, n in held["instructions"]],
        operators=[(str(each[0]), str(each[1]), *each[2:]) for each in held["operators"]],
        constants=held["constants"],
        arguments=len(ends["arguments"]),
        results=returned[0].count("Tensor") if returned[0].startswith("Tuple") else len(returned),
    )


def _operators(function: _Function) -> Iterator[str]:
    """Each operator that an instruction calls, with its overload, as a selective build of the interpreter wants it."""
    for code, x, _ in function.instructions:
        if code in ("OP", "OPN") and 0 <= x < len(function.operators):
            name, overload, *_ = function.operators[x]
            if not name.startswith("prim::"):
                yield f"{name}.{overload}" if overload else name


class _Machine:
    """Runs instructions on shapes in the place of tensors."""

    def __init__(self, work: Work, function: _Function) -> None:
        self._work, self._function = work, function
        self._stack: list[Any] = []
        self._registers: dict[int, Any] = {}

    def run(self, arguments: Sequence[Any]) -> None:
        """From the first instruction to the return; what is not straight on, or jumps ahead, is Unknown."""
        self._stack = list(arguments)
        place = 0
        while True:
            code, x, n = self._function.instructions[place]
            match code:
                case "RET":
                    return
                case "JMP" | "JF":
                    place += self._jump(code, x)
                case "OP" | "OPN":
                    self._operate(x, n)
                    place += 1
                case _:
                    self._move(code, x, n)
                    place += 1

    def _jump(self, code: str, x: int) -> int:
        if code == "JF":
            decided = self._stack.pop()
            if not isinstance(decided, bool):
                raise Unknown("a branch of its bytecode depends on the input")
            x = 1 if decided else x
        if x < 1:
            raise Unknown("its bytecode has a loop, which is not followed")
        return x

    def _operate(self, x: int, n: int) -> None:
        name, _, *counts = self._function.operators[x]
        arguments = self._popped(counts[0] if counts else n)
        if name == "prim::RaiseException":
            raise Unknown("its bytecode refuses the declared shapes")
        if name.startswith("prim::"):
            self._stack.append(arguments[0] if name == "prim::NumToTensor" else OPAQUE)
            return
        result = self._work.apply(name, arguments, {})
        self._stack += result if isinstance(result, tuple) else [result]

    def _move(self, code: str, x: int, n: int) -> None:
        """Instructions that move values between the stack, the registers and the constants."""
        match code:
            case "LOADC":
                self._stack.append(self._work.constant(self._function.constants[x]))
            case "LOAD" | "MOVE":
                self._stack.append(self._registers[x])
            case "STORE":
                self._registers[x] = self._stack.pop()
            case "STOREN":
                self._registers |= dict(enumerate(self._popped(n), start=x))
            case "DROPR":
                self._registers.pop(x, None)
            case "DROP":
                self._stack.pop()
            case _:
                self._build(code, x, n)

    def _build(self, code: str, x: int, n: int) -> None:
        """Instructions that make and take apart lists, tuples and objects."""
        match code:
            case "LIST_CONSTRUCT":
                self._stack.append(self._popped(n))
            case "TUPLE_CONSTRUCT":
                self._stack.append(tuple(self._popped(x)))
            case "LIST_UNPACK":
                self._stack += self._stack.pop()
            case "TUPLE_INDEX":
                values, place = self._popped(2)
                self._stack.append(values[place])
            case "GET_ATTR":
                self._stack.append(list(self._stack.pop().state.values())[x])
            case "NUM_TO_TENSOR" | "UNCHECKED_CAST":
                pass
            case _:
                raise Unknown(f"its bytecode has a {code}, which is not followed")

    def _popped(self, count: int) -> list[Any]:
        """The last `count` values, the oldest first."""
        if not 0 <= count <= len(self._stack):
            raise Unknown("its bytecode takes more from the stack than lies there")
        taken = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        return taken
