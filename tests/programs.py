"""The program, run to its end, and a check of the digits to look at."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ran:
    """A program that has ended."""

    code: int
    out: str
    said: str


@dataclass(frozen=True)
class Checked:
    """A check of the digits, signed with a key of its own, in a store of its own."""

    folder: Path
    ran: Ran

    @property
    def report(self) -> Path:
        return self.folder / "out" / "report.dsse.json"

    @property
    def public_key(self) -> Path:
        return self.folder / "release.pub.pem"

    def deployspec(self, *arguments: str) -> Ran:
        """Run the program with this store."""
        return deployspec(*arguments, DEPLOYSPEC_STORE=str(self.folder / "store"))

    def check(self, out: str, *more: str) -> Ran:
        """Check again, into another folder."""
        spec = str(ROOT / "specs" / "digits.toml")
        return self.deployspec("check", spec, "--out", str(self.folder / out), *more)


def deployspec(*arguments: str, **environment: str) -> Ran:
    """Run the program to its end."""
    command = [sys.executable, "-m", "deployspec", *arguments]
    given: Mapping[str, str] = os.environ | environment
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=given)
    return Ran(done.returncode, done.stdout, done.stderr)
