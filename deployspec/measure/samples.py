"""Keeps raw timing samples, and finds them again for `--reuse-latency`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version as installed
from typing import TYPE_CHECKING

from deployspec.digests import sha256_file, sha256_json
from deployspec.disk import explained
from deployspec.ir.codec import encode
from deployspec.ir.report import read_time
from deployspec.lanes.program import scripts
from deployspec.measure.timing import Samples, asked

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from deployspec.ir.evidence import Machine
    from deployspec.measure.timing import Timed


@dataclass(frozen=True)
class SampleStore:
    """The newest samples of each artifact, by what was timed, how and on which machine."""

    folder: Path

    def prepare(self) -> None:
        """Make the folder. Raises StoreError where there can be none: better before the timing than after it."""
        with explained("write", self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def keep(self, timed: Timed, machine: Machine, samples: Samples) -> None:
        """Write the samples in one step, in place of older ones. Raises StoreError."""
        self.prepare()
        path = self._path(timed, machine)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        with explained("write", self.folder):
            draft.write_bytes(samples.as_bytes())
            draft.replace(path)

    def newest(self, timed: Timed, machine: Machine, max_age_s: int, now: datetime) -> Samples | None:
        """Samples of the same thing not older than `max_age_s`, or None."""
        try:
            samples = Samples(**json.loads(self._path(timed, machine).read_bytes()))
            age = now - read_time(samples.measured_at)
        except (OSError, ValueError, TypeError):
            return None
        return samples if timedelta(0) <= age <= timedelta(seconds=max_age_s) else None

    def _path(self, timed: Timed, machine: Machine) -> Path:
        runtime = [installed(name) for name in timed.runner.toolchain.distributions]
        code = [sha256_file(script) for script in scripts(timed.runner)]
        how = [asked(timed), timed.baseline_options]
        key = sha256_json([timed.digest, runtime, code, how, encode(machine)])
        return self.folder / f"{key}.json"
