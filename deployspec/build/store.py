"""The content-addressed store: one folder for each finished step, written once and never changed.

    layout                         the version of this layout
    steps/<2 hex>/<key>/out/…      what the step wrote
    steps/<2 hex>/<key>/step.json  the digest of `out`, the step's facts, its seconds, its id, what its key is made of
    locks/  logs/  samples/        one lock for each key, one log for each step and key, raw measurements
    ledger/<split>/<artifact>      an empty file for each candidate that a split has judged
    tmp/                           a folder for each live run, beside a lock that the kernel frees when the run dies

`steps` and `logs` are a cache. `samples` and `ledger` are not: nothing brings back what was measured, nor which
candidates a split has judged.

An entry appears by one rename, so a run that is killed at any moment leaves the store whole.
Reading never writes: a store that does not exist yet is empty.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deployspec.digests import sha256_json, sha256_path
from deployspec.disk import STORE_VARIABLE, explained
from deployspec.errors import DigestMismatch, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from filelock import BaseFileLock

LAYOUT: Final = "1\n"
OUT_FOLDER: Final = "out"
RECORD: Final = "step.json"

_CACHEDIR_TAG: Final = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# Made by deployspec; steps/ and logs/ are safe to delete, ledger/ and samples/ cannot be rebuilt.\n"
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A finished step: the folder it wrote, the digest of that folder's manifest, its facts and its cost."""

    folder: Path
    sha256: str
    facts: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Store:
    """The store under `root`, an absolute path. Every method raises StoreError where the disk refuses."""

    root: Path

    def get(self, key: str) -> Entry | None:
        """The entry of `key`, None where there is none or where its bytes are no longer those that were published."""
        home = self._home(key)
        with explained("read", self.root):
            try:
                record = json.loads((home / RECORD).read_bytes())
                found = {name: record[name] for name in ("sha256", "facts", "seconds")}
                entry = Entry(folder=home / OUT_FOLDER, **found)
                return entry if sha256_path(entry.folder) == entry.sha256 else None
            except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError, DigestMismatch):
                return None

    def publish(
        self,
        key: str,
        home: Path,
        *,
        facts: Mapping[str, Any],
        seconds: float,
        step: str,
        ingredients: Mapping[str, Any],
        by_content: bool = False,
    ) -> Entry:
        """Make `home`, a folder of this store's `workspace` with the output in `out`, the entry of `key`.

        All bytes are on the disk before the rename. Raises DigestMismatch for an output that a manifest cannot name.
        The step's id and the ingredients of its key are kept for `ingredients` to tell.
        `by_content` is for a key that does not tell the output: each output is then an entry of its own, so that no
        run changes what another one reads.
        """
        sha256 = sha256_path(home / OUT_FOLDER)
        record = {"sha256": sha256, "facts": dict(facts), "seconds": seconds}
        record |= {"step": step, "ingredients": dict(ingredients)}
        if by_content:
            key = sha256_json([key, sha256])
            if found := self.get(key):
                return found
        target = self._home(key)
        with explained("write", self.root):
            (home / RECORD).write_text(json.dumps(record, indent=1, allow_nan=False))
            _sync_tree(home)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():  # an entry that `get` refused
                target.rename(home.with_name(f"{home.name}-broken"))
            home.rename(target)
            _sync(target.parent)
        return Entry(folder=target / OUT_FOLDER, sha256=sha256, facts=dict(facts), seconds=seconds)

    def ingredients(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The id of the step and the ingredients of the key of each entry that tells them, the oldest first."""
        with explained("read", self.root):
            records = sorted(self.root.glob(f"steps/*/*/{RECORD}"), key=lambda path: path.stat().st_mtime_ns)
            for path in records:
                with suppress(FileNotFoundError, ValueError):
                    record = json.loads(path.read_bytes())
                    match record:
                        case {"step": str(step), "ingredients": dict(made)} if sha256_json(made) == path.parent.name:
                            yield step, made

    def lock(self, key: str, *, timeout_s: float = 0) -> BaseFileLock | None:
        """The lock of `key`, held; None when another run held it throughout. The kernel frees it with its holder."""
        from filelock import FileLock, Timeout

        self._prepare()
        lock = FileLock(self.root / "locks" / f"{key}.lock", thread_local=False)
        with explained("lock a step", self.root):
            try:
                lock.acquire(timeout=timeout_s)
            except Timeout:
                return None
        return lock

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.root / "logs"

    def log(self, step: str, key: str) -> Path:
        """Where the log of `step`, run under `key`, is kept."""
        return self.logs / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', step)}-{key[:12]}.log"

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A folder for this run alone, gone afterwards. Those of runs that died are swept away first."""
        from filelock import FileLock

        self._prepare()
        folder = self.root / "tmp" / uuid.uuid4().hex
        lock = FileLock(folder.with_suffix(".lock"), thread_local=False)
        with explained("write", self.root):
            self._sweep()
            lock.acquire()
            folder.mkdir()
        try:
            yield folder
        finally:
            _remove(folder)
            lock.release()

    def _home(self, key: str) -> Path:
        return self.root / "steps" / key[:2] / key

    def _sweep(self) -> None:
        from filelock import FileLock, Timeout

        for path in (self.root / "tmp").glob("*.lock"):
            with suppress(Timeout), FileLock(path, timeout=0, thread_local=False):
                _remove(path.with_suffix(""))

    def _prepare(self) -> None:
        """Make the layout where it is missing. Raises StoreError for a folder that is something else."""
        with explained("write", self.root):
            if self._layout() is None:
                self._refuse_foreign()
                self.root.mkdir(parents=True, exist_ok=True)
                for name, text in {"layout": LAYOUT, "CACHEDIR.TAG": _CACHEDIR_TAG, ".gitignore": "*\n"}.items():
                    _write_whole(self.root / name, text)
            for name in ("steps", "locks", "logs", "samples", "tmp"):
                (self.root / name).mkdir(exist_ok=True)

    def _layout(self) -> str | None:
        try:
            found = (self.root / "layout").read_text()
        except FileNotFoundError:
            return None
        if found != LAYOUT:
            raise StoreError(
                f"the store {self.root} has layout {found.strip()!r} and this version writes {LAYOUT.strip()!r}: "
                f"delete it, or let {STORE_VARIABLE} name another folder"
            )
        return found

    def _refuse_foreign(self) -> None:
        """Nothing is written into a folder that holds somebody's files."""
        if self.root.is_dir() and any(not path.name.startswith(".layout-") for path in self.root.iterdir()):
            raise StoreError(
                f"{self.root} holds files and is no store: let {STORE_VARIABLE} name a new or an empty folder"
            )


def default_store(spec: Path, environment: Mapping[str, str] = os.environ) -> Store:
    """The store that DEPLOYSPEC_STORE names, else `.deployspec/` beside the spec."""
    named = environment.get(STORE_VARIABLE)
    return Store((Path(named) if named else spec.parent / ".deployspec").absolute())


def _write_whole(path: Path, text: str) -> None:
    """Write a file that readers see whole or not at all."""
    draft = path.with_name(f".layout-{uuid.uuid4().hex}")
    draft.write_text(text)
    draft.replace(path)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    """Wait until the file's bytes, or the folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    """Remove a run's folder and the lock beside it, as far as the disk lets us: the next run sweeps again."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        folder.with_suffix(".lock").unlink(missing_ok=True)
