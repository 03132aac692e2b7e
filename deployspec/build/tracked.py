"""Refuses a store that came with a repository: whoever writes a store writes figures."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from deployspec.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

_TRACKED: Final = ("-c", "core.fsmonitor=false", "-c", "safe.directory=*", "ls-files", "--cached", "-z", "--", ".")
"""Asks for names alone; nothing that the repository is set up with is run, whoever it belongs to."""


def refuse_tracked(root: Path) -> None:
    """Raises StoreError where git tracks a file of the store `root`, as far as there is a git to ask."""
    if not root.is_dir() or not any((above / ".git").exists() for above in root.resolve().parents):
        return
    if not (git := shutil.which("git")):
        return
    asked = subprocess.run([git, *_TRACKED], cwd=root, capture_output=True, check=False)
    if tracked := asked.stdout.decode(errors="replace").split("\0")[0]:
        raise StoreError(
            f"the store {root} came with the repository, which tracks '{tracked}': its figures would be whatever was "
            f"committed. Next: git rm -r --cached {root}, delete the folder, and run again"
        )
