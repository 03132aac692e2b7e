"""The report as a machine-learning bill of materials: CycloneDX 1.6, with a model card of what was measured.

Specification: https://cyclonedx.org/docs/1.6/json/. The document is written by hand: the library for it leaves model
cards out without a word.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from deployspec.digests import sha256_bytes
from deployspec.report import figures
from deployspec.report.exports import NOTE
from deployspec.report.files import REPORT_NAME
from deployspec.report.summary import headline
from deployspec.units import UNITS, Dimension

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from deployspec.ir.report import Digest, Report, TargetReport
    from deployspec.ir.verdict import Verdict

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://deployspec.dev/report")


def render(report: Report, envelope: bytes) -> str:
    """The report in `envelope` as one JSON document that ends in a newline; the same bytes for the same report."""
    digest = sha256_bytes(envelope)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest)}",
        "version": 1,
        "metadata": {
            "timestamp": report.checked_at,
            "tools": {"components": [_tool(name, version) for name, version in report.tools]},
            "component": _model(report),
            "properties": _properties(note=NOTE, result=headline(report)),
        },
        "components": [*map(_artifact_of(report), _built(report)), *_files(report)],
        "dependencies": [{"ref": target.name, "dependsOn": ["model"]} for target in _built(report)],
        "externalReferences": [{"type": "attestation", "url": REPORT_NAME, "hashes": _hashes(digest)}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _tool(name: str, version: str) -> dict[str, Any]:
    return {"type": "application", "name": name, **({"version": version} if version else {})}


def _model(report: Report) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": report.model,
        "version": report.model_version,
        **({"hashes": _hashes(report.sources[0].sha256)} if report.sources else {}),
    }


def _built(report: Report) -> list[TargetReport]:
    return [target for target in report.targets if target.artifact]


class _artifact_of:
    """Targets to components: what ships, with a card of its budgets' figures."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def __call__(self, target: TargetReport) -> dict[str, Any]:
        assert target.artifact is not None
        verdicts = [each for each in self._report.verdicts if each.target == target.name]
        return {
            "type": "machine-learning-model",
            "bom-ref": target.name,
            "name": f"{target.name}/{target.artifact.name}",
            "version": self._report.model_version,
            "hashes": _hashes(target.artifact.sha256),
            "modelCard": {"quantitativeAnalysis": {"performanceMetrics": [*_metrics(verdicts)]}},
            "properties": [
                *_properties(format=target.format),
                *({"name": f"deployspec:verdict:{each.budget}", "value": figures.outcome(each)} for each in verdicts),
            ],
        }


def _metrics(verdicts: list[Verdict]) -> Iterator[dict[str, Any]]:
    """The figures that there are; a one-sided bound that is not there is left out."""
    for each in verdicts:
        if each.estimate is None:
            continue
        metric, _, label = each.budget.removeprefix("field.").partition(".")
        told: dict[str, Any] = {"type": metric, "value": _quantity(each.estimate, each.unit)}
        slices = [
            *(["field split"] if each.budget.startswith("field.") else []),
            *([f"class {label}"] if label else []),
        ]
        if slices:
            told["slice"] = ", ".join(slices)
        bounds = {"lowerBound": each.lower, "upperBound": each.upper}
        known = {name: _quantity(bound, each.unit) for name, bound in bounds.items() if bound is not None}
        yield told | ({"confidenceInterval": known} if known else {})


def _quantity(value: Decimal, unit: str) -> str:
    """Every digit of a verdict's number, a share or a difference of shares in percent or points: `12.5 %`, `3.1 ms`."""
    written, _, _ = unit.partition(" ")
    factor = UNITS[Dimension(unit)].get(written)
    shown = f"{value / (factor or 1):f}"
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    return f"{shown} {written}" if factor else shown


def _files(report: Report) -> Iterator[dict[str, Any]]:
    """What the artifacts were made from and judged on."""
    for kind, digests in (("file", (report.spec, *report.sources, *report.policies)), ("data", report.data)):
        yield from (_file(kind, each) for each in digests)


def _file(kind: str, digest: Digest) -> dict[str, Any]:
    return {"type": kind, "name": digest.name, "hashes": _hashes(digest.sha256)}


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _properties(**values: str) -> list[dict[str, str]]:
    return [{"name": f"deployspec:{name}", "value": value} for name, value in values.items()]
