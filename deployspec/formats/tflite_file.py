"""A .tflite read strictly into plain values, by the format's own schema: it may be hostile.

Every offset is checked by the reader of flatbuffers, every index here. What is read is counted: a whole file
describes nothing many times over, so that one which points at the same bytes again and again is refused early.
Source: tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

import importlib.util
import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.errors import UnreadableModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def _generated() -> Any:
    """LiteRT's generated reader of the schema, without LiteRT's own __init__, which loads the runtime."""
    package = importlib.util.find_spec("ai_edge_litert")
    if package is None:
        raise UnreadableModel("reading it needs LiteRT's schema: pip install 'deployspec[litert]'")
    file = Path(next(iter(package.submodule_search_locations or ())), "schema_py_generated.py")
    found = importlib.util.spec_from_file_location("deployspec.formats._tflite_schema", file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


schema: Final = _generated()

_IDENTIFIER: Final = b"TFL3"
_ROOM: Final = 2
"""Bytes that may be read, as a multiple of the file's size: some writers share what is equal."""

_TABLE_BYTES: Final = 8
"""What a table takes at least: its place in a vector and that of its fields."""

_TYPES: Final = {code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
_OPERATORS: Final = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor. `shape` has 1 where `signature` has -1, a size known only when the model runs.

    `data` are the stored bytes, empty for what is computed; `zero_points` go along `axis`; `block_tensors` hold the
    scales and zero points of blocks.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    variable: bool
    buffer: int
    data: np.ndarray = field(repr=False)
    quantized: bool
    zero_points: np.ndarray = field(repr=False)
    axis: int
    block_tensors: tuple[int, ...]
    sparse: bool


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator; an input of -1 was left out."""

    name: str
    custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    transposed: bool = False
    """A BATCH_MATMUL whose first operand has its last two dimensions exchanged."""
    graph: int | None = None
    """The subgraph that a STABLEHLO_COMPOSITE stands for."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A subgraph; what it takes, gives and connects are places in `tensors`."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Names of a subgraph's ends: each with the place of its tensor."""

    key: str
    graph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class File:
    """The whole file."""

    graphs: tuple[Graph, ...]
    signatures: tuple[Signature, ...]


def read(path: Path) -> File:
    """The file at `path`. Raises UnreadableModel for what is no whole .tflite."""
    try:
        with path.open("rb") as stream:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        if content[4:8] != _IDENTIFIER:
            raise UnreadableModel(f"{path} is no .tflite: it does not begin like one")
        return _Reader(content).file()
    except (struct.error, ValueError, IndexError, TypeError, OverflowError) as error:
        raise UnreadableModel(f"{path} is no whole .tflite: it is damaged or was cut short ({error})") from error


class _Reader:
    """Reads the tables of one file, and no more of them than a file of its size can hold."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._left = len(content) * _ROOM
        self._root = schema.Model.GetRootAs(content, 0)

    def file(self) -> File:
        """Everything, each table once."""
        root = self._root
        self._buffers = [self._buffer(each) for each in self._each(root.BuffersLength(), root.Buffers)]
        self._codes = [self._code(each) for each in self._each(root.OperatorCodesLength(), root.OperatorCodes)]
        graphs = tuple(self._graph(each) for each in self._each(root.SubgraphsLength(), root.Subgraphs))
        if not graphs:
            raise ValueError("it holds no graph")
        for graph in graphs:
            _hold([each.graph for each in graph.operators if each.graph is not None], len(graphs))
        signatures = self._each(root.SignatureDefsLength(), root.SignatureDefs)
        return File(graphs=graphs, signatures=tuple(self._signature(each, graphs) for each in signatures))

    def _each(self, length: int, get: Callable[[int], Any]) -> Iterator[Any]:
        self._spend(length * _TABLE_BYTES)
        return (get(i) for i in range(length))

    def _spend(self, size_bytes: int) -> None:
        self._left -= size_bytes
        if self._left < 0:
            raise ValueError("it says more than a file of its size can hold")

    def _text(self, raw: bytes | None) -> str:
        self._spend(len(raw or b""))
        return (raw or b"").decode(errors="replace")

    def _numbers(self, found: Any) -> np.ndarray:
        """A vector of numbers; the generated reader gives 0 where there is none."""
        numbers = np.atleast_1d(found) if isinstance(found, np.ndarray) else np.empty(0, np.int64)
        self._spend(numbers.nbytes)
        return numbers

    def _buffer(self, table: Any) -> np.ndarray:
        """The bytes, which lie behind the flatbuffer in files beyond 2 GB."""
        if table.Offset() > 1:
            return self._numbers(np.frombuffer(self._content, np.uint8, table.Size(), table.Offset()))
        return self._numbers(table.DataAsNumpy()).view(np.uint8)

    def _code(self, table: Any) -> tuple[str, bool]:
        number = max(table.BuiltinCode(), table.DeprecatedBuiltinCode())  # older files know the latter alone
        if number == schema.BuiltinOperator.CUSTOM:
            return self._text(table.CustomCode()), True
        return _OPERATORS.get(number, f"operator {number}"), False

    def _graph(self, table: Any) -> Graph:
        tensors = tuple(self._tensor(each) for each in self._each(table.TensorsLength(), table.Tensors))
        count = len(tensors)
        for each in tensors:
            _hold(each.block_tensors, count)
        return Graph(
            tensors=tensors,
            operators=tuple(
                self._operator(each, count) for each in self._each(table.OperatorsLength(), table.Operators)
            ),
            inputs=_hold(self._numbers(table.InputsAsNumpy()).tolist(), count),
            outputs=_hold(self._numbers(table.OutputsAsNumpy()).tolist(), count),
        )

    def _tensor(self, table: Any) -> Tensor:
        shape = _sizes(self._numbers(table.ShapeAsNumpy()))
        signature = _sizes(self._numbers(table.ShapeSignatureAsNumpy()), least=-1)
        quantization = table.Quantization()
        (buffer,) = _hold([table.Buffer()], len(self._buffers))
        blocks = _block_tensors(quantization)
        return Tensor(
            name=self._text(table.Name()),
            dtype=_TYPES[table.Type()] if table.Type() in _TYPES else f"type {table.Type()}",
            shape=shape,
            signature=signature or shape,
            variable=bool(table.IsVariable()),
            buffer=buffer,
            data=self._buffers[buffer],
            quantized=bool(blocks) or (quantization is not None and quantization.ScaleLength() > 0),
            zero_points=self._numbers(quantization.ZeroPointAsNumpy()) if quantization else np.empty(0, np.int64),
            axis=quantization.QuantizedDimension() if quantization else 0,
            block_tensors=blocks,
            sparse=table.Sparsity() is not None,
        )

    def _operator(self, table: Any, count: int) -> Operator:
        name, custom = self._codes[_hold([table.OpcodeIndex()], len(self._codes))[0]]
        return Operator(
            name=name,
            custom=custom,
            inputs=_hold(self._numbers(table.InputsAsNumpy()).tolist(), count, least=-1),
            outputs=_hold(self._numbers(table.OutputsAsNumpy()).tolist(), count),
            **_options(name, table),
        )

    def _signature(self, table: Any, graphs: tuple[Graph, ...]) -> Signature:
        (graph,) = _hold([table.SubgraphIndex()], len(graphs))
        ends = [
            tuple((self._text(each.Name()), each.TensorIndex()) for each in self._each(length, get))
            for length, get in ((table.InputsLength(), table.Inputs), (table.OutputsLength(), table.Outputs))
        ]
        return Signature(key=self._text(table.SignatureKey()), graph=graph, inputs=ends[0], outputs=ends[1])


def _hold(places: Sequence[int], count: int, least: int = 0) -> tuple[int, ...]:
    for place in places:
        if not least <= place < count:
            raise ValueError(f"it refers to the {place}th of {count}")
    return tuple(places)


def _sizes(shape: np.ndarray, least: int = 0) -> tuple[int, ...]:
    if shape.size and shape.min() < least:
        raise ValueError("a size is negative")
    return tuple(shape.tolist())


def _options(name: str, table: Any) -> dict[str, Any]:
    """Those of an operator's options that its own shapes do not tell."""
    if name == "BATCH_MATMUL":
        options = _union(table.BuiltinOptions(), schema.BatchMatMulOptions())
        return {"transposed": bool(options.AdjX())}
    if name == "STABLEHLO_COMPOSITE":
        options = _union(table.BuiltinOptions2(), schema.StableHLOCompositeOptions())
        return {"graph": options.DecompositionSubgraphIndex()}
    return {}


def _union(found: Any, table: Any) -> Any:
    """What the union holds, read as the schema's `table`."""
    if found is None:
        raise ValueError("an operator lacks its options")
    table.Init(found.Bytes, found.Pos)
    return table


def _block_tensors(quantization: Any) -> tuple[int, ...]:
    """The tensors that hold the scales, and the zero points if any, of blocks of a quantized tensor."""
    if quantization is None or quantization.DetailsType() != schema.QuantizationDetails.BlockwiseQuantization:
        return ()
    details = _union(quantization.Details(), schema.BlockwiseQuantization())
    return tuple(place for place in (details.Scales(), details.ZeroPoints()) if place > 0)
