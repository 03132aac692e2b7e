"""Writes a report and the artifacts that it names into a folder, so that no half of it is ever taken for a whole."""

from __future__ import annotations

import glob
import json
import re
import shutil
import tempfile
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deployspec.digests import MANIFEST_SUFFIX, manifest, sha256_path
from deployspec.errors import DigestMismatch, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.report import TargetReport

REPORT_NAME: Final = "report.dsse.json"
PREVIOUS_NAME: Final = "report.previous.dsse.json"
PAGE_NAME: Final = "report.html"
"""The view that `check --html` writes beside the report."""
ARTIFACTS_FOLDER: Final = "artifacts"
MARKER: Final = ".deployspec"
"""Inside the artifacts' folder: it is ours to replace."""


def token_file(report: Path, number: int) -> Path:
    """Where the timestamp of a signature lies, beside the report's file; signatures count from 1."""
    return report.with_name(f"{report.name}.{number}.tsr")


def token_files(report: Path) -> dict[int, Path]:
    """The timestamps that lie beside the report's file, by the number of their signature."""
    found = report.parent.glob(f"{glob.escape(report.name)}.*.tsr")
    numbers = {file: file.name[len(report.name) + 1 : -len(".tsr")] for file in found}
    return {int(number): file for file, number in numbers.items() if re.fullmatch("[1-9][0-9]?", number)}


def set_aside(out: Path) -> Path | None:
    """Take an earlier report out of the way before a new check, so that it is never taken for the new one's.

    It becomes `report.previous.dsse.json`, or `report.previous.2.dsse.json` and so on where a signed one lies there:
    no report that carries signatures is ever replaced. Returns where a signed one went.
    Raises UsageError when `out` holds an `artifacts` folder that no check made: it would be replaced.
    """
    artifacts = out / ARTIFACTS_FOLDER
    if artifacts.exists() and not (artifacts / MARKER).is_file():
        raise UsageError(
            f"{artifacts} was not made by deployspec and would be replaced: choose another folder with --out"
        )
    with _explained(out):
        if not (out / REPORT_NAME).exists():
            return None
        kept = next(place for place in _previous(out) if not _is_signed(place))
        for stale in token_files(kept).values():
            stale.unlink()
        for number, token in token_files(out / REPORT_NAME).items():
            token.replace(token_file(kept, number))
        (out / REPORT_NAME).replace(kept)
        (out / PAGE_NAME).unlink(missing_ok=True)
        return kept if _is_signed(kept) else None


def _previous(out: Path) -> Iterator[Path]:
    """The names of earlier reports, in the order in which they are taken."""
    stem, _, suffix = PREVIOUS_NAME.partition(".dsse")
    yield out / PREVIOUS_NAME
    yield from (out / f"{stem}.{number}.dsse{suffix}" for number in count(2))


def previous(out: Path) -> tuple[Path, ...]:
    """The earlier reports that were set aside in `out`."""
    return tuple(takewhile(Path.exists, _previous(out)))


def _is_signed(report: Path) -> bool:
    """Whether a report lies there that may carry signatures: all but what plainly carries none."""
    if not report.exists():
        return False
    try:
        envelope = json.loads(report.read_bytes())
    except (ValueError, RecursionError):
        return True
    return not isinstance(envelope, dict) or bool(envelope.get("signatures"))


def write_report(out: Path, envelope: bytes, artifacts: Sequence[tuple[TargetReport, Path]]) -> Path:
    """Write `out/report.dsse.json` and `out/artifacts/<target>/<file>`; returns the report's path.

    Beside a folder lies its manifest, `<folder>.sha256`, which `sha256sum --check` reads inside the folder.

    The report comes last, so that at no moment one lies beside artifacts that it does not mean. Raises
    DigestMismatch when a copy is not what was judged, StoreError when the folder cannot be written.
    """
    with _explained(out):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".deployspec-") as draft:
            if artifacts:
                _copy_all(artifacts, Path(draft) / ARTIFACTS_FOLDER)
            (Path(draft) / REPORT_NAME).write_bytes(envelope)
            _put_in_place(out, Path(draft))
    return out / REPORT_NAME


def _copy_all(artifacts: Sequence[tuple[TargetReport, Path]], copies: Path) -> None:
    copies.mkdir()
    (copies / MARKER).write_text("Made by deployspec check; the next one replaces this folder.\n")
    for target, source in artifacts:
        _copy(target, source, copies / target.name)


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"the report cannot be written to {out}: {error.strerror or error}") from error


def _copy(target: TargetReport, source: Path, folder: Path) -> None:
    folder.mkdir()
    copy = shutil.copytree if source.is_dir() else shutil.copyfile
    copied = Path(copy(source, folder / source.name))
    if target.folder:
        copied.with_name(copied.name + MANIFEST_SUFFIX).write_bytes(manifest(copied))
    if target.artifact is None or sha256_path(copied) != target.artifact.sha256:
        raise DigestMismatch(f"the artifact of '{target.name}' changed between judging and copying: check again")


def _put_in_place(out: Path, draft: Path) -> None:
    if (out / ARTIFACTS_FOLDER).exists():
        (out / ARTIFACTS_FOLDER).rename(draft / "earlier")
    if (draft / ARTIFACTS_FOLDER).exists():  # where nothing was built there is nothing to ship
        (draft / ARTIFACTS_FOLDER).rename(out / ARTIFACTS_FOLDER)
    (draft / REPORT_NAME).rename(out / REPORT_NAME)
