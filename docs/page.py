"""Pictures of the page, as a phone and as a screen show it:

    python docs/page.py NAME=REPORT…

REPORT is a report.dsse.json, or the folder that a check wrote. Writes docs/page/NAME-phone.png and NAME-desktop.png,
and needs a Chromium. Those that are there show checks of specs/digits-all.toml (passing), of
examples/imbalanced/deployspec.toml (failing) and of specs/digits.toml with "accuracy >= 98 %" (unproven).
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

from deployspec.cli.report_files import read_report
from deployspec.report.summary import Standing
from deployspec.report.views import html
from deployspec.verify import read_unverified

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "page"
sys.path.append(str(ROOT / "tests" / "page"))

SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
SCREENS = 3
"""How much of the page is shown."""
COLOURS = 256


def main() -> None:
    """Draw each report that was named."""
    from browser import chromium, opened

    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made, chromium() as browser:
        for asked in sys.argv[1:]:
            name, _, report = asked.partition("=")
            page = Path(made) / f"{name}.html"
            page.write_text(rendered(Path(report)), encoding="utf-8")
            for kind, (width, height) in SIZES.items():
                picture = FOLDER / f"{name}-{kind}.png"
                with opened(browser, page, width=width, height=height * SCREENS) as seen:
                    seen.page.screenshot(path=picture)
                with_fewer_colours(Image.open(picture).convert("RGB")).save(picture, optimize=True)


def with_fewer_colours(picture: Image.Image) -> Image.Image:
    """As good to the eye, at a third of the size."""
    return picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE)


def rendered(report: Path) -> str:
    """The page of a report, which shows that nobody verified it."""
    envelope, content = read_unverified(read_report(report))
    return html.render(content, Standing(signers=envelope.keyids))


if __name__ == "__main__":
    main()
