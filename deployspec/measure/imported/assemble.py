"""Logs of one artifact on one machine, as an evidence document."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployspec.digests import sha256_path, size_bytes
from deployspec.errors import UsageError
from deployspec.ir import codec
from deployspec.ir.device import Device, MeasuredOn
from deployspec.ir.evidence_file import VERSION, Artifact, EvidenceFile, Run
from deployspec.measure.imported.document import is_envelope, read_document
from deployspec.measure.imported.tools import from_tool, kind_of_log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Logs:
    """What the logs of benchmark tools cannot know of themselves."""

    target: str | None = None
    artifact: Path | None = None
    device: str | None = None
    evidence: MeasuredOn | None = None
    runtime: str = ""


def document_of(contents: Sequence[tuple[Path, bytes]], about: Logs) -> bytes:
    """The bytes of a sound evidence document: of the one file that is a document, or made of logs.

    Raises EvidenceFault, and UsageError where it takes more, or less, than what is said.
    """
    (first, data), *others = contents
    if kind_of_log(data) is not None:
        data = _to_bytes(_run_of(contents, about))
    elif others or about != Logs():
        raise UsageError(f"'{first}' is no log of a tool that is known: give one document, or logs with what they lack")
    elif is_envelope(data):
        raise UsageError(f"'{first}' is signed already: sign the document that is in it")
    read_document(data, first)
    return data


def _run_of(contents: Sequence[tuple[Path, bytes]], about: Logs) -> Run:
    if about.target is None or about.artifact is None:
        raise UsageError("a log does not say what was measured: give --target and --artifact")
    file = about.artifact
    if not file.exists():
        raise UsageError(f"--artifact {file}: there is no such file or folder")
    _refuse_copies(contents)
    return Run(
        target=about.target,
        artifact=Artifact(name=file.name, sha256=sha256_path(file), folder=file.is_dir()),
        evidence=about.evidence or (MeasuredOn.DEVICE if about.device else MeasuredOn.HOST),
        device=Device(name=about.device) if about.device else None,
        runtime=about.runtime,
        size_bytes=size_bytes(file),
        processes=tuple(process for log, data in contents for process in from_tool(data, log)),
    )


def _refuse_copies(contents: Sequence[tuple[Path, bytes]]) -> None:
    """One process given twice would count as two."""
    seen: dict[bytes, Path] = {}
    for log, data in contents:
        if data in seen:
            raise UsageError(f"'{seen[data]}' and '{log}' are one log, byte for byte: give each process's log once")
        seen[data] = log


def _to_bytes(run: Run) -> bytes:
    """The document that holds one run, as a person would write it."""
    document = codec.encode(EvidenceFile(deployspec_evidence=VERSION, runs=(run,)))
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
