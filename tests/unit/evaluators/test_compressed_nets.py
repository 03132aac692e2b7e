"""Compressed weights, against decompressing them by a program of another's: coremltools' own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from agreement_of_nets import COMPRESSED, of_compressed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.parametrize("form", COMPRESSED)
def test_compressed_weights_mean_what_decompressing_them_first_means(tmp_path: Path, form: str) -> None:
    error, operators = of_compressed(form, tmp_path)
    assert COMPRESSED[form][1] in operators
    assert error <= 1e-6
