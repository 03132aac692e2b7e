"""Asks LiteRT which operators of a .tflite XNNPACK, as this runtime applies it on this machine, does not take.

The file alone does not tell: it hangs on types, shapes and the runtime's version. Loaded here, it is not run.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ai_edge_litert.interpreter import Interpreter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUNTIME = f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}"


def load(artifact: str, options: dict[str, Any]) -> Any:
    """Its `facts` are those of `deployspec.ir.structure.Division`."""
    del options
    try:
        interpreter = Interpreter(model_path=artifact, num_threads=1)
        interpreter.allocate_tensors()
        outputs = [each["index"] for each in interpreter.get_output_details()]
        counts = Counter(_outside(interpreter._get_ops_details(), outputs))
    except (RuntimeError, ValueError) as error:
        refused = f"LiteRT does not load the file: {' '.join(str(error).split())}"
        return SimpleNamespace(facts={"undelegated": None, "findings": [refused]})
    left = dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
    names = ", ".join(f"{name} ({count})" for name, count in left.items())
    told = [f"operators that XNNPACK leaves to slower kernels: {names}"] if left else []
    return SimpleNamespace(facts={"undelegated": left, "findings": told})


def _outside(operators: Iterable[dict[str, Any]], outputs: Iterable[int]) -> Iterator[str]:
    """The operators of the main graph that give `outputs` without a delegate's help.

    A delegate replaces operators by one of its own, which gives what they gave; both are in `operators`. Going back
    from the outputs, the delegate's comes first wherever there is one.
    """
    gives: dict[int, dict[str, Any]] = {}
    for each in operators:  # delegates come last: they were put in place of others
        gives |= dict.fromkeys(map(int, each["outputs"]), each)
    waiting, seen = list(outputs), set[int]()
    while waiting:
        operator = gives.get(waiting.pop())
        if operator is None or operator["index"] in seen:
            continue
        seen.add(operator["index"])
        waiting += map(int, operator["inputs"])
        if operator["op_name"] != "DELEGATE":
            yield operator["op_name"]
