"""Views of the two photographs that scikit-learn ships: unlabelled, natural, and of the size that the net expects."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import sklearn
from PIL import Image

PHOTOGRAPHS = ("china.jpg", "flower.jpg")
SIZE = 224
SEED = 0

Batch = tuple[np.ndarray]


def calibration() -> Iterator[Batch]:
    """32 crops of the photographs' left halves, uint8 (n, 224, 224, 3)."""
    yield (crops(slice(None, 0.5), 16),)


def test() -> Iterator[Batch]:
    """64 crops of the right halves: no pixel is in both splits."""
    yield (crops(slice(0.5, None), 32),)


def crops(part: slice, each: int) -> np.ndarray:
    """`each` crops of a vertical part (a slice of shares of the width) of each photograph, mirrored half the time."""
    random = np.random.default_rng(SEED)
    found = []
    for name in PHOTOGRAPHS:
        whole = np.asarray(Image.open(Path(sklearn.__file__).parent / "datasets" / "images" / name))
        left, right = (int(share * whole.shape[1]) for share in (part.start or 0.0, part.stop or 1.0))
        half = whole[:, left:right]
        for _ in range(each):
            top, side = (random.integers(0, length - SIZE + 1) for length in half.shape[:2])
            crop = half[top : top + SIZE, side : side + SIZE]
            found.append(crop[:, ::-1] if random.integers(2) else crop)
    return np.stack(found)
