"""Churn: decisions that noise changes, the artifact's against the reference's on the same noisy samples."""

from __future__ import annotations

from dataclasses import dataclass

from deployspec.judge.paired import Paired


@dataclass(frozen=True)
class Changed(Paired):
    """Of `n` samples, `broken` are those whose decision only the artifact changes, `repaired` only the reference."""

    @property
    def basis(self) -> str:
        """The counts in words."""
        return f"{self.broken} changed by the artifact alone and {self.repaired} by the reference alone, of {self.n}"
