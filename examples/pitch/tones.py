"""Synthesised notes: a fundamental, some harmonics, a little noise."""

from collections.abc import Iterator

import numpy as np

RATE = 16_000  # Hz
FRAME = 1024  # samples
LOWEST, HIGHEST = 60.0, 1000.0  # Hz

Batch = tuple[np.ndarray]


def calibration() -> Iterator[Batch]:
    """64 frames, float32 (n, 1024)."""
    yield (notes(64, seed=1),)


def test() -> Iterator[Batch]:
    """512 frames of other notes."""
    yield (notes(512, seed=2),)


def notes(count: int, seed: int) -> np.ndarray:
    """Frames of mean 0 and deviation 1; pitches are even on a logarithmic scale."""
    random = np.random.default_rng(seed)
    time = np.arange(FRAME) / RATE
    pitches = np.exp(random.uniform(np.log(LOWEST), np.log(HIGHEST), count))
    harmonics = np.arange(1, 9)
    strengths = random.uniform(0.2, 1.0, (count, 8)) / harmonics
    phases = random.uniform(0, 2 * np.pi, (count, 8))
    waves = np.sin(2 * np.pi * pitches[:, None, None] * harmonics[:, None] * time + phases[..., None])
    frames = (strengths[..., None] * waves).sum(axis=1) + random.normal(0, 0.02, (count, FRAME))
    centred = frames - frames.mean(axis=1, keepdims=True)
    return (centred / centred.std(axis=1, keepdims=True)).astype(np.float32)
