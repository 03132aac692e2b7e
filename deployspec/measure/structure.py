"""Structure: what the artifact's own bytes tell, read without its framework, and held against the spec.

How much of it a delegate takes is asked of the format's runner, where the bytes do not tell.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deployspec.contract import ContractBroken
from deployspec.ir import codec
from deployspec.ir.artifact import the_artifact
from deployspec.ir.evidence import Count, EvidenceClass, Measurement, NotMeasured, Operators, Share, Statistic
from deployspec.ir.structure import Division, Structure, ranked
from deployspec.measure.asking import ask_artifact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.artifact import Done, Job
    from deployspec.ir.model import Input, Output
    from deployspec.ir.structure import End


def inspect_artifact(job: Job) -> dict[str, Any]:
    """A step: read the artifact of the role "artifact"; facts: its Structure, whose findings are remarks.

    Raises ContractBroken when its ends are not called what the spec calls them, in the spec's order, and when the
    runner that is asked does not answer.
    """
    module, _, name = job.options["inspector"].partition(":")
    structure: Structure = getattr(importlib.import_module(module), name)(
        the_artifact(job.inputs["artifact"]), job.model
    )
    _hold_names("input", structure.inputs, job.model.inputs)
    _hold_names("output", structure.outputs, job.model.outputs)
    if "runner" in job.options:
        structure = divided(structure, ask_artifact(job, [{"task": "describe"}], {}))
    return {"structure": codec.encode(structure), "remarks": list(structure.findings)}


def _hold_names(kind: str, found: Sequence[End], declared: Sequence[Input] | Sequence[Output]) -> None:
    """The ends' number is the spec's, and so are their names where the format has such."""
    got, wanted = [each.name for each in found], [each.name for each in declared]
    if any(got) and got != wanted:
        raise ContractBroken(f"the file's {kind}s are {', '.join(got)}; the spec's are {', '.join(wanted)}")
    if len(got) != len(wanted):
        raise ContractBroken(f"the file has {len(got)} {kind}s and the spec declares {len(wanted)}")


def divided(structure: Structure, lines: Sequence[dict[str, Any]]) -> Structure:
    """What an inspector found, and what the runner that it asks answered when it was to describe the artifact.

    Raises CodecError for no such answer.
    """
    division = codec.decode(Division, {name: each for name, each in lines[-1].items() if name != "task"})
    left = None if division.undelegated is None else ranked(division.undelegated)
    return replace(structure, undelegated=left, findings=(*structure.findings, *division.findings))


def structure_of(inspected: Done) -> Structure:
    """What the step found."""
    return codec.decode(Structure, inspected.facts["structure"])


def measure_structure(target: str, structure: Structure) -> list[Measurement]:
    """parameters, macs, sparsity, undelegated_ops (where the format has delegates), operators and the bytes of weights.

    The bytes of stored parameters are one figure for each stored type, such as `weights.float32`.
    """
    figures: dict[str, Statistic] = {
        "parameters": Count(value=Decimal(structure.parameters)),
        "macs": _macs(structure),
        "sparsity": _sparsity(structure),
        "operators": Operators(counts=structure.operators),
        **{f"weights.{stored}": Count(value=Decimal(size)) for stored, size in structure.weight_bytes},
    }
    if structure.undelegated is not None:
        figures["undelegated_ops"] = Count(value=Decimal(sum(count for _, count in structure.undelegated)))
    return [
        Measurement(target=target, name=name, statistic=statistic, evidence=EvidenceClass.STATIC)
        for name, statistic in figures.items()
    ]


def _macs(structure: Structure) -> Statistic:
    if structure.macs is None:
        return NotMeasured(reason=structure.macs_reason or "the artifact does not tell")
    return Count(value=Decimal(structure.macs))


def _sparsity(structure: Structure) -> Statistic:
    if not structure.kernel_elements:
        return NotMeasured(reason="the artifact has no weights of two or more dimensions")
    return Share(hits=structure.kernel_zeros, n=structure.kernel_elements)
