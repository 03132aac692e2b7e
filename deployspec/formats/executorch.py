"""Reads an ExecuTorch program (.pte) by the schemas that the executorch package ships, without importing it.

The graph of the method `forward` is read; of what is delegated, XNNPACK's graphs.
"""

from __future__ import annotations

import importlib.util
import re
import struct
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import chain
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from deployspec.errors import UnreadableModel
from deployspec.formats import macs
from deployspec.formats.flatbuffer import Table, open_root, parse_schema
from deployspec.formats.xnnpack import Weight, XnnpackGraph
from deployspec.ir.structure import End, Structure, ranked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.formats.flatbuffer import Schema
    from deployspec.ir.model import Model

_HEADER: Final = struct.Struct("<4x4s4sIQQQ")
"""Identifier, magic, the header's length, sizes and places of the program and of the segments behind it."""

_DTYPES: Final = {
    "BYTE": "uint8",
    "CHAR": "int8",
    "SHORT": "int16",
    "INT": "int32",
    "LONG": "int64",
    "HALF": "float16",
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "BOOL": "bool",
    "BFLOAT16": "bfloat16",
}
"""Element types, as the spec calls them."""

_WHOLE_NUMBERS: Final = ("BOOL", "SHORT", "INT", "LONG")
"""Types of constants that are no weights; those of one byte are quantized."""

_BOOKKEEPING: Final = ("executorch_prim::", "aten::sym_")
"""Begins the names of what computes shapes and touches no tensor's elements."""

_QUANTIZED: Final = "quantized_decomposed::"
"""Begins the names of operators whose constants, but for the first argument, are scales and zero points."""

_MULTIPLIES: Final = re.compile(r"::\w*(conv\w*|(mm|linear|attention|sdpa|lstm|gru)(_\w*)?)\.")
"""Operators that this module has to know, if their multiplications are to be counted."""


def inspect(artifact: Path, model: Model) -> Structure:
    """What is in the .pte at `artifact`. Raises UnreadableModel for what is no whole program."""
    try:
        return _structure(_Program(memoryview(artifact.read_bytes())), model)
    except (UnreadableModel, OSError) as error:
        raise UnreadableModel(f"{artifact.name}: {error}") from error
    except (IndexError, TypeError, ValueError) as error:  # it names what it does not have, or leaves out what it needs
        raise UnreadableModel(f"{artifact.name}: it is damaged ({error}): build it again") from error


def _structure(program: _Program, model: Model) -> Structure:
    method = _Method(program)
    kernels, graphs, foreign = method.kernels(), *method.delegates()
    weights = {each.key: each for each in (*chain(*(graph.weights() for graph in graphs)), *method.weights(kernels))}
    matrices = [each for each in weights.values() if len(each.shape) > 1]
    by_type: Counter[str] = Counter()
    for each in weights.values():
        by_type[each.dtype] += each.size_bytes
    named = Counter(each.name for each in kernels)
    undelegated = ranked({name: n for name, n in named.items() if not name.startswith(_BOOKKEEPING)})
    work, why = _macs(method, kernels, graphs, model) if not foreign else (None, f"{foreign[0]} does not tell its own")
    return Structure(
        inputs=method.ends("inputs", program.names("input_names")),
        outputs=method.ends("outputs", program.names("output_names")),
        operators=ranked(named + Counter(kind for graph in graphs for kind in graph.kinds) + Counter(foreign)),
        parameters=sum(each.elements for each in weights.values()),
        kernel_elements=sum(each.elements for each in matrices),
        kernel_zeros=sum(each.zeros for each in matrices),
        weight_bytes=ranked(by_type),
        macs=work,
        macs_reason=why,
        undelegated=undelegated,
        findings=(*_left_over(undelegated), *(f"what is handed to {name} is not read" for name in foreign)),
    )


def _left_over(undelegated: Sequence[tuple[str, int]]) -> list[str]:
    if not undelegated:
        return []
    listed = ", ".join(f"{name} ({count})" for name, count in undelegated)
    return [f"outside of XNNPACK, in portable kernels that may be slow: {listed}"]


def _macs(
    method: _Method, kernels: Sequence[_Kernel], graphs: Sequence[XnnpackGraph], model: Model
) -> tuple[int | None, str]:
    """Of one sample; else None and the reason. A program for batches holds its shapes at the largest."""
    if method.branches:
        return None, "the program branches or loops"
    work = sum(graph.macs() for graph in graphs)
    for each in kernels:
        counted = method.macs(each)
        if counted is None:
            return None, f"how much {each.name} multiplies is not known"
        work += counted
    batch = method.batch(model)
    return (work // batch, "") if work % batch == 0 else (None, f"its work is not that of {batch} equal samples")


@dataclass(frozen=True)
class _Kernel:
    """A call of an operator that no delegate took: its name, and the indices of its arguments, the output last."""

    name: str
    args: tuple[int, ...]


class _Method:
    """The method `forward`: its values, and the calls that it makes."""

    def __init__(self, program: _Program) -> None:
        if "forward" not in program.methods:
            raise UnreadableModel("it has no method 'forward'")
        self._program, self._plan = program, program.methods["forward"]
        self._values: list[Table] = self._plan["values"]
        instructions = (each["instr_args"] for chain in self._plan["chains"] for each in chain["instructions"])
        self._calls: list[tuple[str, Table]] = [each for each in instructions if each is not None]
        self.branches = any(kind == "JumpFalseCall" for kind, _ in self._calls)

    def kernels(self) -> list[_Kernel]:
        """The calls outside of delegates."""
        names = [f"{each['name']}.{each['overload']}".removesuffix(".") for each in self._plan["operators"]]
        calls = [call for kind, call in self._calls if kind == "KernelCall"]
        return [_Kernel(names[call["op_index"]], tuple(map(int, call["args"]))) for call in calls]

    def delegates(self) -> tuple[list[XnnpackGraph], list[str]]:
        """XNNPACK's graphs, and the names of other delegates."""
        graphs, foreign = [], []
        for delegate in self._plan["delegates"]:
            if delegate["id"] == "XnnpackBackend":
                payload = self._program.delegated(delegate)
                graphs.append(XnnpackGraph(payload, _schema("xnnpack"), self._program.named))
            else:
                foreign.append(delegate["id"])
        return graphs, foreign

    def ends(self, kind: str, names: Sequence[str]) -> tuple[End, ...]:
        """Inputs or outputs; where a shape is not fixed, its first dimension is the batch."""
        tensors = [self._tensor(index) for index in self._plan[kind]]
        found = []
        for place, tensor in enumerate(tensors):
            shape = tuple(map(int, tensor["sizes"]))
            if tensor["shape_dynamism"] != "STATIC":
                shape = (-1, *shape[1:])
            dtype = tensor["scalar_type"]
            name = names[place] if len(names) == len(tensors) else ""
            found.append(End(name=name, shape=shape, dtype=_DTYPES.get(dtype, dtype.lower())))
        return tuple(found)

    def batch(self, model: Model) -> int:
        """The largest batch: the first size of an input whose first dimension the spec names."""
        named = (isinstance(each.shape[0], str) for each in model.inputs)
        sizes = [self._tensor(index)["sizes"] for index in self._plan["inputs"]]
        return max([1, *(int(size[0]) for size, is_batch in zip(sizes, named, strict=False) if is_batch)])

    def macs(self, kernel: _Kernel) -> int | None:
        """Multiply-accumulates of a call; None where they are not known."""
        args = kernel.args
        match kernel.name:
            case "aten::convolution.out":
                if self._flag(args[6]):
                    return macs.transposed_convolution(self._shape(args[0]), self._shape(args[1]))
                return macs.convolution(self._shape(args[-1]), self._shape(args[1]))
            case "aten::mm.out" | "aten::bmm.out" | "aten::linear.out":
                return macs.product(self._shape(args[-1]), self._shape(args[0])[-1])
            case "aten::addmm.out":
                return macs.product(self._shape(args[-1]), self._shape(args[1])[-1])
        return None if _MULTIPLIES.search(kernel.name) else 0

    def weights(self, kernels: Sequence[_Kernel]) -> Iterator[Weight]:
        """The constants of calls outside of delegates."""
        quantized = [each.args for each in kernels if each.name.startswith(_QUANTIZED)]
        scales = {index for args in quantized for index in args[1:]}
        zero_points = {args[0]: self._integer(args[2]) for args in quantized if len(args) > 2}
        for index in range(len(self._values)):
            kind, tensor = self._value(index)
            if kind == "Tensor" and index not in scales and _is_weight(tensor):
                yield self._weight(tensor, zero_points.get(index, 0))

    def _weight(self, tensor: Table, zero_point: int) -> Weight:
        dtype, shape = _DTYPES.get(tensor["scalar_type"], ""), tuple(map(int, tensor["sizes"]))
        if dtype in ("", "bfloat16"):
            raise UnreadableModel(f"constants of type {tensor['scalar_type']} are not read")
        stored = self._program.constant(tensor["data_buffer_idx"])
        numbers = np.frombuffer(stored, np.dtype(dtype).newbyteorder("<"), prod(shape))
        zeros = int(np.count_nonzero(numbers == zero_point))
        return Weight(key=f"constant {tensor['data_buffer_idx']}", dtype=dtype, shape=shape, zeros=zeros)

    def _value(self, index: int) -> tuple[str, Table]:
        found: tuple[str, Table] | None = self._values[index]["val"]
        return found or ("Null", self._values[index])

    def _tensor(self, index: int) -> Table:
        kind, table = self._value(index)
        if kind != "Tensor":
            raise UnreadableModel(f"value {index} is {kind} where a tensor was expected: damaged")
        return table

    def _shape(self, index: int) -> tuple[int, ...]:
        return tuple(map(int, self._tensor(index)["sizes"]))

    def _flag(self, index: int) -> bool:
        kind, table = self._value(index)
        return kind == "Bool" and bool(table["bool_val"])

    def _integer(self, index: int) -> int:
        kind, table = self._value(index)
        return int(table["int_val"]) if kind == "Int" else 0


def _is_weight(tensor: Table) -> bool:
    """Whether it is a constant (see the schema, at `data_buffer_idx`) and no plain integer."""
    is_constant = tensor["data_buffer_idx"] > 0 and tensor["allocation_info"] is None
    return is_constant and tensor["scalar_type"] not in _WHOLE_NUMBERS


class _Program:
    """The file: its methods by name, its segments."""

    def __init__(self, data: memoryview) -> None:
        if len(data) < _HEADER.size or bytes(data[8:12]) != b"eh00":
            raise UnreadableModel("no ExecuTorch program, or one that was cut short: build it again")
        _, _, _, program_size, self._segments_at, segments_size = _HEADER.unpack_from(data)
        if max(program_size, self._segments_at + segments_size) > len(data):
            raise UnreadableModel("it was cut short: copy or build it again")
        self._data, self._root = data, open_root(data[:program_size], _schema("program"))
        self.methods: dict[str, Table] = {each["name"]: each for each in self._root["execution_plan"]}
        self._segments = [(each["offset"], each["size"]) for each in self._root["segments"]]
        self._named = {each["key"]: each["segment_index"] for each in self._root["named_data"]}

    def names(self, method: str) -> list[str]:
        """The strings that a constant method gives; none where there is no such method."""
        if method not in self.methods:
            return []
        plan = self.methods[method]
        values = plan["values"]
        return [table["string_val"] for kind, table in (values[i]["val"] for i in plan["outputs"]) if kind == "String"]

    def delegated(self, delegate: Table) -> memoryview:
        """What is handed to a delegate."""
        place = delegate["processed"]
        if place["location"] == "SEGMENT":
            return self.segment(place["index"])
        return memoryview(self._root["backend_delegate_data"][place["index"]]["data"])

    def segment(self, index: int) -> memoryview:
        """A segment's bytes."""
        offset, size = self._segments[index]
        return self._data[self._segments_at + offset : self._segments_at + offset + size]

    def named(self, key: str) -> memoryview:
        """The bytes stored under a name."""
        if key not in self._named:
            raise UnreadableModel(f"a weight is stored under {key!r}, outside of the file")
        return self.segment(self._named[key])

    def constant(self, index: int) -> memoryview:
        """The bytes from a constant's first one on."""
        place = self._root["constant_segment"]
        return self.segment(place["segment_index"])[int(place["offsets"][index]) :]


@cache
def _schema(kind: str) -> Schema:
    """A schema of the installed executorch, whose folder is found without importing it."""
    spec = importlib.util.find_spec("executorch")
    if spec is None:
        raise UnreadableModel("reading it needs executorch's schemas: pip install 'deployspec[executorch]'")
    files = {
        "program": ("schema/scalar_type.fbs", "schema/program.fbs"),
        "xnnpack": ("backends/xnnpack/serialization/schema.fbs",),
    }[kind]
    folder = Path(next(iter(spec.submodule_search_locations or ())))
    return parse_schema("\n".join((folder / each).read_text() for each in files))
