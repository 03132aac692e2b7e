"""The splits of a spec's data, each with one purpose."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from deployspec.ir.constraint import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

Split = Text | tuple[Text, Text]
"""`.npz` or `module.py:callable` as text; an `.npy` pair as `["x.npy", "y.npy"]`."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """`[data]`: the splits, each read by its own purpose only."""

    train: Split | None = None
    calibration: Split | None = None
    tuning: Split | None = None
    test: Split | None = None
    field: Split | None = None

    def splits(self) -> dict[str, str | tuple[str, str]]:
        """The splits that the spec names, in the language's order."""
        return {name: value for name in SPLITS if (value := getattr(self, name)) is not None}


SPLITS: Final = tuple(each.name for each in fields(Data))


@dataclass(frozen=True, kw_only=True)
class Support:
    """The samples of one split: all of them, and of each class (empty where the split has no labels)."""

    n: int
    per_class: Mapping[str, int]
    several: bool = False
    """Whether a sample may be of several classes."""


UNJUDGED_SPLITS: Final = ("train", "calibration", "tuning")
"""What went into the model or its choice: a sample of these says nothing where the model is judged."""
