"""What a timed artifact is called with: samples of a judged split, which no conversion saw, else those of its probe.

An artifact that knew the one sample that it is timed with could be quick for that one only, and one whose branches
leave early for easy samples would be as quick as the sample is easy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

MOST_SAMPLES: Final = 64
MOST_BYTES: Final = 64 << 20
"""Of large samples fewer are called: they lie in the memory of each process."""
LEAST_SAMPLES: Final = 4


def write_some(prepared: Path, folder: Path) -> None:
    """Write some rows of a split to `folder`, of each input of the model to `<i>.npy`, and nothing of its labels.

    `prepared` is the output of the step that prepared the split.
    """
    whole = [np.load(path, mmap_mode="r") for path in files_of(prepared)]
    rows = chosen(len(whole[0]), sum(each[:1].nbytes for each in whole))
    folder.mkdir()
    for i, samples in enumerate(whole):
        np.save(folder / f"{i}.npy", samples[rows])


def files_of(folder: Path) -> list[Path]:
    """The files of the inputs in a folder of samples, in the model's order."""
    numbered = (path for path in folder.glob("*.npy") if path.stem.isdecimal())
    return sorted(numbered, key=lambda path: int(path.stem))


def chosen(count: int, sample_bytes: int) -> np.ndarray:
    """Rows of `count` samples: evenly spread, and shuffled, so that the first of them are from all over the split."""
    most = min(count, max(LEAST_SAMPLES, min(MOST_SAMPLES, MOST_BYTES // max(1, sample_bytes))))
    return np.random.Generator(np.random.PCG64(0)).permutation(np.arange(most) * count // most)
