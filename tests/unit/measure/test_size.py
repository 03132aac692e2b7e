"""Size: what ships, and what of it goes over the wire."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from deployspec.ir.evidence import Count, EvidenceClass, NotMeasured, Reduction
from deployspec.measure.size import compressed_bytes, measure_size

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.evidence import Statistic


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """100,000 bytes: noise, as weights are, and names, which the best level packs better than others."""
    path = tmp_path / "model.bin"
    generator = np.random.default_rng(0)
    names = generator.choice([b"weight", b"bias", b"mean", b"layer", b"conv", b"0", b"1", b"."], 30_000)
    path.write_bytes(generator.bytes(20_000) + b"".join(names)[:80_000])
    return path


@pytest.fixture
def folder(tmp_path: Path, file: Path) -> Path:
    made = tmp_path / "model.package"
    (made / "weights").mkdir(parents=True)
    file.rename(made / "weights" / "w.bin")
    (made / "manifest.json").write_text("{}" * 500)
    (made / "empty").mkdir()
    return made


def figures(artifact: Path, reference: int | None = 400_000) -> dict[str, Statistic]:
    found = measure_size("t", artifact, reference)
    assert {(each.target, each.evidence) for each in found} == {("t", EvidenceClass.STATIC)}
    return {each.name: each.statistic for each in found}


def test_a_file_is_its_bytes(file: Path) -> None:
    found = figures(file)
    assert found["size"] == Count(value=Decimal(100_000))
    assert found["size_reduction"] == Reduction(before=Decimal(400_000), after=Decimal(100_000))


def test_a_folder_is_its_files_together(folder: Path) -> None:
    assert figures(folder)["size"] == Count(value=Decimal(101_000))


def test_without_a_reference_nothing_is_reduced(file: Path) -> None:
    reduction = figures(file, None)["size_reduction"]
    assert isinstance(reduction, NotMeasured)
    assert "the reference did not run" in reduction.reason


def by_hand(artifact: Path, level: int = 9) -> int:
    stream = io.BytesIO()
    files = [artifact] if artifact.is_file() else [path for path in artifact.rglob("*") if path.is_file()]
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for path in files:
            archive.write(path, path.relative_to(artifact.parent).as_posix())
    return len(stream.getvalue())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_compressed_size_is_that_of_an_archive(kind: str, request: pytest.FixtureRequest) -> None:
    artifact = request.getfixturevalue(kind)
    compressed = compressed_bytes(artifact)
    assert compressed == pytest.approx(by_hand(artifact), abs=150)
    assert by_hand(artifact, 6) > by_hand(artifact) + 150, "the level can be told"
    assert figures(artifact)["size_compressed"] == Count(value=Decimal(compressed))


def test_the_compressed_size_does_not_depend_on_the_files_times(file: Path) -> None:
    import os

    before = compressed_bytes(file)
    os.utime(file, (0, 1e9))
    assert compressed_bytes(file) == before
