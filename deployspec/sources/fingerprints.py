"""A digest of each sample's bytes, by which the same sample is known again in another split."""

from __future__ import annotations

from hashlib import blake2b
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGEST_BYTES: Final = 16
DIGESTS_FILE: Final = "digests.npy"
"""In a prepared split: (n, 16) uint8, a row a sample."""


def fingerprints(inputs: Sequence[np.ndarray]) -> np.ndarray:
    """(n, 16) uint8: BLAKE2b of each sample's bytes, those of all `inputs` (n, …) in their order; -0.0 as 0.0."""
    columns = [_unsigned_zeros(each).reshape(len(each), prod(each.shape[1:])).view(np.uint8) for each in inputs]
    rows = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    data, width = rows.reshape(-1).data, rows.shape[1]
    digests = [blake2b(data[i : i + width], digest_size=DIGEST_BYTES).digest() for i in range(0, len(data), width)]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)


def _unsigned_zeros(values: np.ndarray) -> np.ndarray:
    """The values in one piece, each that equals another with the same bytes."""
    return np.ascontiguousarray(values + values.dtype.type(0) if values.dtype.kind == "f" else values)
