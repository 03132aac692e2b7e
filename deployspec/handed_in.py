"""Evidence that others hand in: files read, signatures looked at, runs held against the spec and the artifacts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from deployspec.digests import sha256_bytes, sha256_path, size_bytes
from deployspec.errors import EvidenceFault, TrustError
from deployspec.ir.device import MeasuredOn
from deployspec.ir.evidence import Count, EvidenceClass, NotMeasured
from deployspec.ir.evidence_file import PAYLOAD_TYPE
from deployspec.ir.report import Digest, Import
from deployspec.measure.imported import (
    is_envelope,
    kind_of_log,
    measurements,
    miscounts,
    read_document,
    read_file,
)
from deployspec.trust import dsse
from deployspec.trust.policy import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from deployspec.ir.artifact import Done, StepResult
    from deployspec.ir.evidence import Measurement
    from deployspec.ir.evidence_file import EvidenceFile, Run
    from deployspec.ir.plan import Plan
    from deployspec.ir.spec import Spec, Target
    from deployspec.trust.policy import TrustPolicy


@dataclass(frozen=True)
class Handed:
    """One run of a file, as it stands there and as the report tells of it, with its figures and its place in the file.

    `signed_as` are the key ids that the file's envelope names, verified or not.
    """

    record: Import
    run: Run
    figures: tuple[Measurement, ...]
    path: Path
    pointer: str
    signed_as: tuple[str, ...] = ()

    def fault(self, what: str, inside: str = "") -> EvidenceFault:
        """What is wrong with this run, at its place."""
        return EvidenceFault(self.path, [(f"{self.pointer}{inside}", what)])


def read_evidence(files: Sequence[Path], spec: Spec, trust: TrustPolicy | None, at: datetime) -> tuple[Handed, ...]:
    """The runs of every file for the targets of `spec`. `trust` says which keys a lab signs with, valid at `at`.

    Raises EvidenceFault for a file that cannot be read, contradicts itself, or does not fit the spec.
    """
    return tuple(_once([run for file in files for run in _runs(file, spec, trust, at)]))


def _runs(file: Path, spec: Spec, trust: TrustPolicy | None, at: datetime) -> Iterator[Handed]:
    data = read_file(file)
    document, signers, signed_as = _opened(data, file, trust, at)
    digest = Digest(name=file.name, sha256=sha256_bytes(data))
    targets = {target.name: target for target in spec.targets}
    for number, run in enumerate(document.runs):
        pointer = f"/runs/{number}"
        if run.target in spec.left_out:
            continue
        if run.target not in targets:
            have = ", ".join(targets)
            raise EvidenceFault(file, [(f"{pointer}/target", f"the spec has no target '{run.target}'; it has {have}")])
        handed = _handed(run, targets[run.target], spec, digest, signers, file, pointer)
        yield replace(handed, signed_as=signed_as)


def _handed(
    run: Run, target: Target, spec: Spec, digest: Digest, signers: tuple[str, ...], file: Path, pointer: str
) -> Handed:
    record = Import(
        file=digest,
        signers=signers,
        target=run.target,
        artifact=Digest(name=run.artifact.name, sha256=run.artifact.sha256),
        stated=EvidenceClass(run.evidence.value),
        folder=run.artifact.folder,
        device=run.device,
        note=run.note,
    )
    counts = bool(signers) or target.rules.accept_claimed
    handed = Handed(record, run, measurements(run, digest.sha256, counts=counts), file, pointer)
    _refuse_misfit(handed, run, target, spec)
    return handed


def _refuse_misfit(handed: Handed, run: Run, target: Target, spec: Spec) -> None:
    """A run must be of the target's device and of the task's classes."""
    of_a_device = run.evidence in (MeasuredOn.DEVICE, MeasuredOn.EMULATOR)
    if of_a_device and target.device and run.device and run.device.name != target.device:
        asked = f"'{run.device.name}' is not the device of target '{target.name}', which is '{target.device}'"
        raise handed.fault(f"{asked}: its figures prove nothing there", "/device/name")
    labels = spec.task.label_set if spec.task else frozenset()
    for i, table in enumerate(run.quality):
        if set(table.labels) != labels:
            have = ", ".join(spec.task.labels) if spec.task else "none"
            raise handed.fault(f"these are not the labels of the spec's task, which are {have}", f"/quality/{i}/labels")


def _opened(
    data: bytes, file: Path, trust: TrustPolicy | None, at: datetime
) -> tuple[EvidenceFile, tuple[str, ...], tuple[str, ...]]:
    """The document, the key ids of the trusted labs that signed exactly its bytes, and all that its envelope names."""
    if not is_envelope(data):
        _refuse_log(data, file)
        return read_document(data, file), (), ()
    try:
        envelope = dsse.read(data)
    except TrustError as error:
        raise EvidenceFault(file, [("", str(error))]) from None
    if envelope.payload_type != PAYLOAD_TYPE:
        raise EvidenceFault(file, [("/payloadType", f"'{envelope.payload_type}' is not evidence, {PAYLOAD_TYPE}")])
    labs = trust.signers(envelope, Role.LAB, at) if trust else ()
    return read_document(envelope.payload, file), tuple(each.key.keyid for each in labs), envelope.keyids


def _refuse_log(data: bytes, file: Path) -> None:
    kind = kind_of_log(data)
    if kind is not None:
        what = f"this is {kind}, which does not say what was measured on which device"
        raise EvidenceFault(file, [("", f"{what}: `deployspec evidence {file} …` makes evidence of it")])


def _once(found: Sequence[Handed]) -> Iterator[Handed]:
    """The runs, with one figure from one place: choosing the better of two would be no test.

    What is in the artifact's bytes, and is told alike, is no choice: it stays where it is told first.
    """
    seen: dict[_Key, tuple[Handed, Measurement]] = {}
    told: set[_Key] = set()
    artifacts: dict[str, Digest] = {}
    for handed in found:
        artifact = artifacts.setdefault(handed.record.target, handed.record.artifact)
        if artifact.sha256 != handed.record.artifact.sha256:
            what = f"target '{handed.record.target}' was measured with another artifact before, {artifact.sha256}"
            raise handed.fault(what, "/artifact/sha256")
        stated = measurements(handed.run, handed.record.file.sha256, counts=True)
        first = [seen.setdefault(_key(each), (handed, each)) for each in stated]
        _refuse_choice(handed, stated, first)
        static = {each.name for each in stated if each.evidence is EvidenceClass.STATIC}
        kept = tuple(each for each in handed.figures if each.name not in static or _key(each) not in told)
        told.update(map(_key, kept))
        yield replace(handed, figures=kept)


def _refuse_choice(handed: Handed, stated: Sequence[Measurement], first: Sequence[tuple[Handed, Measurement]]) -> None:
    """Raises EvidenceFault that names every figure of the run which an earlier run tells too."""
    repeated: dict[tuple[str, EvidenceClass], list[str]] = {}
    for each, (other, same) in zip(stated, first, strict=True):
        alike = each.evidence is EvidenceClass.STATIC and each.statistic == same.statistic
        if other is not handed and not alike:
            repeated.setdefault((f"{other.path}:{other.pointer}", each.evidence), []).append(each.name)
    faults = [
        f"{', '.join(names)} of target '{handed.record.target}' with {evidence} evidence "
        f"{'are' if len(names) > 1 else 'is'} in {place} too: hand in one of them, as choosing the better is no test"
        for (place, evidence), names in repeated.items()
    ]
    if faults:
        raise EvidenceFault(handed.path, [(handed.pointer, each) for each in faults])


_Key = tuple[str, str, str, EvidenceClass]


def _key(figure: Measurement) -> _Key:
    return figure.target, figure.name, figure.split, figure.evidence


def hold_against(
    handed: Sequence[Handed], built: Mapping[str, Done], spec: Spec, plan: Plan, results: Mapping[str, StepResult]
) -> tuple[Handed, ...]:
    """The runs of the targets that were built.

    Raises EvidenceFault for one that is of other bytes than these, or counts other samples than are counted here.
    """
    kept = tuple(each for each in handed if each.record.target in built)
    for each in kept:
        _hold(each, built[each.record.target].artifact)
        for inside, what in miscounts(each.run, plan, results, spec.task.labels if spec.task else ()):
            raise each.fault(what, inside)
    return kept


def _hold(run: Handed, artifact: Path) -> None:
    digest, size = sha256_path(artifact), Count(value=Decimal(size_bytes(artifact)))
    if digest != run.record.artifact.sha256:
        what = f"the artifact of target '{run.record.target}' has the digest {digest}"
        raise run.fault(f"{what}: this evidence is of another one, so measure again", "/artifact/sha256")
    if any(each.name == "size" and each.statistic != size for each in run.figures):
        raise run.fault(f"the artifact with this digest has {size.value} bytes", "/sizeBytes")


def merged(measured: Sequence[Measurement], handed: Sequence[Handed]) -> tuple[Measurement, ...]:
    """What was measured here, and what was handed in beside it; of one class, what was measured here stands."""
    figures = {_key(each) for each in measured if not isinstance(each.statistic, NotMeasured)}
    added = [each for each in _standing(handed) if _key(each) not in figures]
    replaced = {_key(each) for each in added}
    return (*(each for each in measured if _key(each) not in replaced), *added)


def _standing(handed: Sequence[Handed]) -> Iterator[Measurement]:
    """Every figure; of several claims to one, or to those of one split, the claims of the run of the best class."""
    best: dict[tuple[str, str], Handed] = {}
    for run in sorted(handed, key=lambda each: list(EvidenceClass).index(each.record.stated)):
        for each in run.figures:
            if each.evidence is EvidenceClass.CLAIMED:
                best.setdefault(_claim(each), run)
    for run in handed:
        for each in run.figures:
            if each.evidence is not EvidenceClass.CLAIMED or best[_claim(each)] is run:
                yield each


def _claim(figure: Measurement) -> tuple[str, str]:
    return figure.target, figure.split or figure.name
