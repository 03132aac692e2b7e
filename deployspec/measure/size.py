"""Size: what ships, and what of it goes over the wire. Read from the artifact's bytes."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING

from deployspec.digests import size_bytes
from deployspec.ir.evidence import Count, EvidenceClass, Measurement, NotMeasured, Reduction

if TYPE_CHECKING:
    from pathlib import Path


def measure_size(target: str, artifact: Path, reference_bytes: int | None) -> list[Measurement]:
    """size, size_compressed and size_reduction of one artifact.

    `reference_bytes` is what the reference's float32 parameters and buffers take, None when it did not run.
    """
    size = Decimal(size_bytes(artifact))
    reduction = (
        NotMeasured(reason="the reference did not run, so its bytes are not known")
        if reference_bytes is None
        else Reduction(before=Decimal(reference_bytes), after=size)
    )
    figures = {
        "size": Count(value=size),
        "size_compressed": Count(value=Decimal(compressed_bytes(artifact))),
        "size_reduction": reduction,
    }
    return [
        Measurement(target=target, name=name, statistic=statistic, evidence=EvidenceClass.STATIC)
        for name, statistic in figures.items()
    ]


def compressed_bytes(artifact: Path) -> int:
    """Bytes of a deflated archive (level 9) of the artifact's files, as app stores deliver them."""
    files = [artifact] if artifact.is_file() else sorted(path for path in artifact.rglob("*") if path.is_file())
    counter = _Counter()
    with zipfile.ZipFile(counter, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in files:
            name = path.relative_to(artifact.parent).as_posix()  # a name takes the archive's level, a ZipInfo does not
            with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as sink:
                while block := source.read(1 << 20):
                    sink.write(block)
    return counter.written


class _Counter(io.RawIOBase):
    """A file that forgets what is written and knows how much it was."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.written += len(data)
        return len(data)
