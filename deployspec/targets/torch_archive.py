"""What torch's two archive formats share: a frozen TorchScript module, written without a trace of where it was made.

`torch.jit.optimize_for_inference` is left out on purpose: it runs in memory, but what it saves has lost its
prepacked weights. Freezing is what survives the file, and makes every scheme's file smaller.
"""

from __future__ import annotations

import io
import json
import pickletools
import re
import struct
import warnings
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    import torch

    from deployspec.ir.artifact import Job

SIGNATURE: Final = "extra/signature.json"
"""The record with the names of inputs and outputs, which TorchScript itself does not keep."""

_WRITTEN_BY_TORCH: Final = ("version", "byteorder", ".data/serialization_id")
"""Records that torch's writer adds to every archive by itself."""

_NUMBERED: Final = re.compile(rb"___torch_mangle_(\d+)")


def opened(job: Job) -> tuple[torch.nn.Module, list[np.ndarray], list[np.ndarray]]:
    """The module in floating point, the probe, and its answers: what every scheme's artifact is held to."""
    from deployspec.contract import probe_inputs
    from deployspec.sources.torch_module import answers, open_module

    module, inputs = open_module(job), probe_inputs(job)
    return module, inputs, answers(module, inputs)


def finish(
    job: Job,
    module: torch.nn.Module,
    inputs: list[np.ndarray],
    answered: list[np.ndarray],
    save: Callable[[torch.jit.ScriptModule], bytes],
    suffix: str,
    **options: str,
) -> dict[str, Any]:
    """Script or trace `module`, freeze and `save` it; record for the contract what the model `answered`.

    `options` are for the runner, which also gets the names of the ends.
    """
    from deployspec.contract import record

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # every call says that it is deprecated, and so does the target's remark
        saved = save(_frozen(job, module, inputs))
    names = job.model.ends
    _write(saved, job.artifact / f"{job.model.name}{suffix}", names)
    record(job, inputs, answered, options=options | names)
    return {}


def _frozen(job: Job, module: torch.nn.Module, inputs: list[np.ndarray]) -> torch.jit.ScriptModule:
    """One function that holds the weights as constants; what is TorchScript already is only frozen."""
    import torch

    example = tuple(torch.from_numpy(each[:1]) for each in inputs)
    with torch.no_grad():
        if isinstance(module, torch.jit.ScriptModule):
            scripted = module
        elif job.options.get("method") == "script":
            scripted = torch.jit.script(module)
        else:
            # Traced once: a second trace would ask what the contract asks anyway, of other samples.
            scripted = torch.jit.trace(module, example, check_trace=False)
        return torch.jit.freeze(scripted.eval())


def _write(saved: bytes, path: Path, names: dict[str, list[str]]) -> None:
    """Write the archive with its signature, the same bytes for the same model wherever and whenever it is made.

    Debug records hold absolute paths of the machine. Classes are numbered by what the process made before: they are
    numbered anew, in their order.
    """
    import torch

    reader, writer = torch._C.PyTorchFileReader(io.BytesIO(saved)), torch._C.PyTorchFileWriter(str(path))
    kept = [name for name in reader.get_all_records() if not name.endswith(".debug_pkl")]
    records = {name: reader.get_record(name) for name in kept if name not in _WRITTEN_BY_TORCH}
    for name, content in _renumbered(records):
        writer.write_record(name, content, len(content))
    signature = json.dumps(names).encode()
    writer.write_record(SIGNATURE, signature, len(signature))
    writer.write_end_of_file()


def _renumbered(records: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The records with the numbers in their classes' names replaced by 0, 1, 2 …"""
    found = {int(number) for name in records for number in _NUMBERED.findall(name.encode())}
    numbers = {str(old).encode(): str(new).encode() for new, old in enumerate(sorted(found))}

    def rename(text: bytes) -> bytes:
        return _NUMBERED.sub(lambda match: b"___torch_mangle_" + numbers[match[1]], text)

    for name, content in records.items():
        if name.endswith(".py"):
            yield rename(name.encode()).decode(), rename(content)
        else:
            yield name, _rename_in_pickle(content, rename) if name.endswith(".pkl") else content


def _rename_in_pickle(content: bytes, rename: Callable[[bytes], bytes]) -> bytes:
    """The pickle with every class's name, and every text, passed through `rename`; the rest byte for byte."""
    starts = [(code.name, position) for code, _, position in pickletools.genops(content)]
    ends = [*(position for _, position in starts[1:]), len(content)]
    parts = []
    for (name, start), end in zip(starts, ends, strict=True):
        part = content[start:end]
        if name == "GLOBAL":
            part = rename(part)
        elif name == "BINUNICODE":  # its length comes before it
            text = rename(part[5:])
            part = part[:1] + struct.pack("<I", len(text)) + text
        parts.append(part)
    return b"".join(parts)
