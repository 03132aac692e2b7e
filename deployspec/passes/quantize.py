"""Quantization: weights, and for some schemes activations, in fewer bits.

The pass names the scheme only; each target's lowerings say which schemes the format takes and how
they are realised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Quantize:
    """`pass = "quantize"`: `scheme` is one that the target's format takes (`deployspec targets` lists them)."""

    name: ClassVar[str] = "quantize"

    scheme: str
    """One that the target's format takes."""
