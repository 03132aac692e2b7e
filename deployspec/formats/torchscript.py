"""TorchScript's archive, read without torch: its constants from the pickles, its operators and work from the code.

The code is a small part of Python, which is parsed and never run. What freezing leaves is one function without loops:
the declared shapes are led through it.
Source: torch, torch/csrc/jit/serialization/python_print.cpp.
"""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING, Any

from deployspec.formats.torch_archive import Instance, open_archive
from deployspec.formats.torch_operators import Unknown, Work, declared_shapes
from deployspec.formats.torch_shapes import OPAQUE
from deployspec.ir.structure import Structure, ranked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from deployspec.formats.torch_archive import Archive
    from deployspec.ir.model import Model


def inspect(artifact: Path, model: Model) -> Structure:
    """What is in the archive. Raises UnreadableModel."""
    archive = open_archive(artifact)
    constants, module = archive.unpickled("constants.pkl"), archive.unpickled("data.pkl")
    classes = _classes(archive)
    forward = _forward(archive, classes, module)
    names = [argument.arg for argument in forward.args.args]
    work = Work(archive)
    code = _Code(work, constants, dict(zip(names, [module, *declared_shapes(model)], strict=False)))
    macs, reason = work.of(lambda: code.run(forward.body))
    weights = archive.weigh([constants, module])
    return Structure(
        inputs=archive.signature("inputs", len(names) - 1),
        outputs=archive.signature("outputs", _results(forward)),
        operators=ranked(Counter(name for each in classes.values() for name in _operators(each))),
        parameters=weights.parameters,
        kernel_elements=weights.kernel_elements,
        kernel_zeros=weights.kernel_zeros,
        weight_bytes=weights.bytes,
        macs=macs,
        macs_reason=reason,
    )


def _classes(archive: Archive) -> dict[str, ast.ClassDef]:
    """The archive's classes by their dotted names."""
    found: dict[str, ast.ClassDef] = {}
    for record in archive.records:
        if record.startswith("code/") and record.endswith(".py"):
            module = record.removeprefix("code/").removesuffix(".py").replace("/", ".")
            try:
                tree = ast.parse(archive.read(record))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                raise archive.fault(f"'{record}' is no code of TorchScript's") from None
            found |= {f"{module}.{node.name}": node for node in tree.body if isinstance(node, ast.ClassDef)}
    return found


def _forward(archive: Archive, classes: dict[str, ast.ClassDef], module: Any) -> ast.FunctionDef:
    owner = classes.get(module.name) if isinstance(module, Instance) else None
    for node in owner.body if owner else ():
        if isinstance(node, ast.FunctionDef) and node.name == "forward":
            return node
    raise archive.fault("its module has no method 'forward'")


def _results(forward: ast.FunctionDef) -> int:
    """How many values the annotation of `forward` promises."""
    match forward.returns:
        case ast.Subscript(value=ast.Name(id="Tuple"), slice=ast.Tuple(elts=each)):
            return len(each)
    return 1


def _operators(tree: ast.AST) -> Iterator[str]:
    """The operators that the code calls, `prim` ones, which only handle Python's values, left out."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    names = (_operator(_dotted(node.func)) for node in calls)
    return (name for name in names if name and not name.startswith("prim::"))


def _operator(dotted: Sequence[str]) -> str:
    """`torch.relu` is `aten::relu`, `ops.quantized.linear` is `quantized::linear`; else the empty string."""
    match dotted:
        case ("torch", name):
            return f"aten::{name}"
        case ("ops", space, name):
            return f"{space}::{name}"
    return ""


def _dotted(node: ast.expr) -> tuple[str, ...]:
    """The parts of a dotted name; empty for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *parts[::-1]) if isinstance(node, ast.Name) else ()


class _Code:
    """Leads values through statements: shapes in the place of tensors."""

    def __init__(self, work: Work, constants: Sequence[Any], names: dict[str, Any]) -> None:
        self._work, self._constants, self._names = work, constants, names

    def run(self, body: Sequence[ast.stmt]) -> None:
        """Statement by statement; branches on shapes are taken, anything else that is not straight on is Unknown."""
        for node in body:
            match node:
                case ast.Assign(targets=[target], value=value):
                    self._assign(target, self._value(value))
                case ast.Return(value=ast.expr() as value) | ast.Expr(value=value):
                    self._value(value)
                case ast.If(test=test, body=then, orelse=otherwise):
                    self.run(then if self._decided(test) else otherwise)
                case ast.Pass():
                    pass
                case _:
                    raise Unknown(f"its code has a {type(node).__name__}, which is not followed")

    def _assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self._names[target.id] = value
            return
        if not isinstance(target, ast.Tuple):
            raise Unknown(f"its code has a {type(target).__name__}, which is not followed")
        for each, part in zip(target.elts, value, strict=True):
            self._assign(each, part)

    def _decided(self, test: ast.expr) -> bool:
        value = self._value(test)
        if not isinstance(value, bool):
            raise Unknown("a branch of its code depends on the input")
        return value

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._names[name]
            case ast.List(elts=parts):
                return [self._value(part) for part in parts]
            case ast.Tuple(elts=parts):
                return tuple(self._value(part) for part in parts)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._value(operand)
            case ast.Call():
                return self._called(node)
        return self._part(node)

    def _part(self, node: ast.expr) -> Any:
        """A constant of the archive, an object's attribute, or what lies at a place of a list."""
        match node:
            case ast.Attribute(value=ast.Name(id="CONSTANTS"), attr=name):
                return self._work.constant(self._constants[int(name.removeprefix("c"))])
            case ast.Attribute(value=owner, attr=name):
                return self._work.constant(self._value(owner).state[name])
            case ast.Subscript(value=values, slice=place):
                return self._value(values)[self._value(place)]
        raise Unknown(f"its code has a {type(node).__name__}, which is not followed")

    def _called(self, call: ast.Call) -> Any:
        name = _operator(_dotted(call.func))
        if name.startswith("prim::"):
            return self._primitive(name, call)
        if name:
            named = {each.arg: self._value(each.value) for each in call.keywords if each.arg}
            return self._work.apply(name, [self._value(each) for each in call.args], named)
        match call:
            case ast.Call(func=ast.Name(id="int" | "float" | "bool" as kind), args=[value]):
                return self._work.apply(f"aten::{kind.capitalize()}", [self._value(value)], {})
            case ast.Call(func=ast.Name(id="annotate" | "unchecked_cast"), args=[_, value]):
                return self._value(value)
            case ast.Call(func=ast.Name(id="uninitialized")):
                return OPAQUE
        raise Unknown(f"its code calls {ast.unparse(call.func)[:60]}, a function of its own")

    def _primitive(self, name: str, call: ast.Call) -> Any:
        if name == "prim::RaiseException":
            raise Unknown("its code refuses the declared shapes")
        return self._value(call.args[0]) if name == "prim::NumToTensor" else OPAQUE
