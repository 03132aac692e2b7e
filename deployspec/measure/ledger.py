"""Which candidates each split has judged: a split that has judged many is no longer a test."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from deployspec.digests import sha256_path
from deployspec.disk import explained
from deployspec.ir.artifact import Done
from deployspec.ir.evidence import Count, EvidenceClass, Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.plan import Plan, Route


@dataclass(frozen=True)
class Ledger:
    """A folder for each split, named by the digest of its prepared bytes; in it an empty file for each candidate.

    A file is made by one call of the system, and making it again changes nothing: a run that is killed, or another one
    at the same time, can neither lose a use nor count it twice.
    """

    folder: Path

    def record(self, split_sha256: str, artifact_sha256: str) -> None:
        """The split judges this artifact. Raises StoreError where that cannot be written."""
        page = self.folder / split_sha256
        with explained("write", self.folder):
            page.mkdir(parents=True, exist_ok=True)
            (page / artifact_sha256).touch()

    def uses(self, split_sha256: str) -> int:
        """How many different artifacts the split has judged. Raises StoreError where that cannot be read."""
        with explained("read", self.folder):
            return sum(1 for _ in (self.folder / split_sha256).iterdir())


def measure_uses(plan: Plan, results: Mapping[str, StepResult], ledger: Ledger) -> list[Measurement]:
    """split_uses of every target that a split judged now, once all of them are recorded."""
    judged = [(route, *use) for route in plan.routes for use in _uses(route, results).items()]
    for route, _, data in judged:
        artifact = results[route.artifact]
        assert isinstance(artifact, Done), "what was evaluated was made"
        ledger.record(data.sha256, sha256_path(artifact.artifact))
    return [
        Measurement(
            target=route.target,
            name="split_uses",
            statistic=Count(value=Decimal(ledger.uses(data.sha256))),
            evidence=EvidenceClass.STATIC,
            split=split,
        )
        for route, split, data in judged
    ]


def _uses(route: Route, results: Mapping[str, StepResult]) -> dict[str, Done]:
    """The prepared splits over which the route's artifact was run, whole."""
    runs = ((split, results[step], results[f"data.{split}"]) for split, step in route.evaluations)
    return {split: data for split, run, data in runs if isinstance(run, Done) and isinstance(data, Done)}
