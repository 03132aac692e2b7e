"""The table of docs/coreml.md that tells how far the evaluator is from independent answers.

    python docs/agreement.py         convert and evaluate every net, then write the block `agreement`; some minutes

What it takes is what `make dev` and `make test-slow` install.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from generate import fill
from tables import table

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from agreement_of_nets import COMPRESSED, error, exact, of_compressed, of_crepe, of_efficientnet, of_family  # noqa: E402
from nets import FAMILIES, settled  # noqa: E402

from deployspec.evaluators.mlprogram import Mode  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = ROOT / "docs" / "coreml.md"
COLUMNS: Final = ("network", "held against", "float32, `fp64`", "float32, `declared`", "float16, `declared`")


def rows() -> Iterator[tuple[str, ...]]:
    """One row a network; the largest error as a part of the spread of what is expected."""
    for family in FAMILIES:
        expected = exact(*settled(family))
        with tempfile.TemporaryDirectory() as single, tempfile.TemporaryDirectory() as half:
            of_single = of_family(family, "FLOAT32", Path(single))
            of_half = of_family(family, "FLOAT16", Path(half))
        answers = (of_single[Mode.FP64], of_single[Mode.DECLARED], of_half[Mode.DECLARED])
        yield family, "eager torch in float64", *(f"{error(each, expected):.1e}" for each in answers)
    with tempfile.TemporaryDirectory() as folder:
        yield "EfficientNet-Lite0", "eager torch in float64", f"{of_efficientnet(Path(folder)):.1e}", "", ""
    for form in COMPRESSED:
        with tempfile.TemporaryDirectory() as folder:
            found, _ = of_compressed(form, Path(folder))
        yield f"cnn, weights {form}", "coremltools' own decompression", f"{found:.1e}", "", ""
    agreeing, frames, _ = of_crepe()
    yield (
        "CREPE tiny, as others converted it",
        "its own weights in eager torch",
        "",
        "",
        f"{agreeing} of {frames} pitches",
    )


def main() -> None:
    """Write the block."""
    PAGE.write_text(fill(PAGE.read_text(), "agreement", table(COLUMNS, rows())))


if __name__ == "__main__":
    main()
