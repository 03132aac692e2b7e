"""The runner of .pte programs: by name and in order, with answers that stay; and plain words for what it cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from executorch_project import Built, built

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

NAMES = {"inputs": ["tokens", "image"], "outputs": ["topic", "age"]}


@pytest.fixture(scope="module")
def pte() -> ModuleType:
    from deployspec.runners import pte

    return pte


@pytest.fixture(scope="module")
def project() -> Built:
    return built()


def sample(seed: int, rows: int = 1) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 20, (rows, 5)), generator.random((rows, 3, 8, 8), np.float32)]


def test_answers_are_the_callers_own(pte: ModuleType, project: Built) -> None:
    run = pte.load(str(project.artifact("float32")), NAMES)
    first = run(sample(0))
    kept = [each.copy() for each in first]
    second = run(sample(1))
    for before, after, other in zip(first, kept, second, strict=True):
        np.testing.assert_array_equal(before, after)
        assert not np.array_equal(before, other)


def test_a_batch_says_what_its_rows_say(pte: ModuleType, project: Built) -> None:
    run, arrays = pte.load(str(project.artifact("batched")), NAMES), sample(0, rows=4)
    rows = [run([array[i : i + 1] for array in arrays]) for i in range(4)]
    for together, each in zip(run(arrays), zip(*rows, strict=True), strict=True):
        np.testing.assert_allclose(together, np.concatenate(each), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (NAMES | {"inputs": ["image", "tokens"]}, "its inputs are tokens, image, and not image, tokens"),
        (NAMES | {"outputs": ["topic"]}, "its outputs are topic, age, and not topic"),
    ],
)
def test_a_program_with_other_names_is_refused(
    pte: ModuleType, project: Built, names: dict[str, Any], said: str
) -> None:
    with pytest.raises(pte.Unusable, match=said):
        pte.load(str(project.artifact("float32")), names)


@pytest.mark.parametrize("length", [0, 100, 5000])
def test_a_truncated_program_is_refused_plainly(pte: ModuleType, project: Built, tmp_path: Path, length: int) -> None:
    (tmp_path / "cut.pte").write_bytes(project.artifact("float32").read_bytes()[:length])
    with pytest.raises(pte.Unusable, match=r"^cut\.pte is no ExecuTorch program, or one that was cut short"):
        pte.load(str(tmp_path / "cut.pte"), NAMES)


def test_a_kernel_that_the_runtime_lacks_is_told(pte: ModuleType, project: Built, tmp_path: Path) -> None:
    content = project.artifact("float32").read_bytes()
    assert content.count(b"aten::atan\0") == 1
    (tmp_path / "foreign.pte").write_bytes(content.replace(b"aten::atan\0", b"aten::none\0"))
    with pytest.raises(pte.Unusable, match="may lack the kernel"):
        pte.load(str(tmp_path / "foreign.pte"), NAMES)
