"""Writes a report and the artifacts that it names into a folder, so that no half of it is ever taken for a whole."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deployspec.digests import sha256_path
from deployspec.errors import DigestMismatch, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.report import TargetReport

REPORT_NAME: Final = "report.dsse.json"
ARTIFACTS_FOLDER: Final = "artifacts"


def write_report(out: Path, envelope: bytes, artifacts: Sequence[tuple[TargetReport, Path]]) -> Path:
    """Write `out/report.dsse.json` and `out/artifacts/<target>/<file>`; returns the report's path.

    An earlier report goes first and the new one comes last, so that at no moment a report lies beside artifacts
    that it does not mean. Raises DigestMismatch when a copy is not what was judged, StoreError when the folder
    cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".deployspec-") as draft:
            copies = Path(draft) / ARTIFACTS_FOLDER
            copies.mkdir()
            for target, source in artifacts:
                _copy(target, source, copies / target.name)
            (Path(draft) / REPORT_NAME).write_bytes(envelope)
            _put_in_place(out, Path(draft))
    except OSError as error:
        raise StoreError(f"the report cannot be written to {out}: {error.strerror or error}") from error
    return out / REPORT_NAME


def _copy(target: TargetReport, source: Path, folder: Path) -> None:
    folder.mkdir()
    copy = shutil.copytree if source.is_dir() else shutil.copyfile
    copied = Path(copy(source, folder / source.name))
    if target.artifact is None or sha256_path(copied) != target.artifact.sha256:
        raise DigestMismatch(f"the artifact of '{target.name}' changed between judging and copying: check again")


def _put_in_place(out: Path, draft: Path) -> None:
    (out / REPORT_NAME).unlink(missing_ok=True)
    if (out / ARTIFACTS_FOLDER).exists():
        (out / ARTIFACTS_FOLDER).rename(draft / "earlier")
    (draft / ARTIFACTS_FOLDER).rename(out / ARTIFACTS_FOLDER)
    (draft / REPORT_NAME).rename(out / REPORT_NAME)
