"""The lane to this machine: a working folder a program, a live runner a runtime, no copies of large files."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from deployspec.ir.evidence import EvidenceClass, Machine
from deployspec.isolation import Policy, available
from deployspec.lanes.giving import give
from deployspec.lanes.live import LiveRunner
from deployspec.lanes.program import lines_of, module_of, new_nonce, scripts
from deployspec.lanes.taking import take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deployspec.ir.plan import Runner
    from deployspec.lanes.program import Program


OUT_FOLDER: Final = "out"
"""In a program's working folder: where its runner writes what is brought back."""


class HostLane:
    """Runs programs on this machine's CPU, one thread each.

    A runner's process stays, its runtime imported, and does the next program too, also that of another runner of its
    toolchain's family, until the lane is closed. A lane belongs to one thread. What it runs `apart` reads all but
    secrets and what is `hidden`, yet the files of its program in there too, and writes to a folder of the lane's only,
    each repetition to that of its own program; `offline` says that the lane itself is in no network. The lane's folders
    lie in `scratch`.
    """

    name: ClassVar[str] = "host"
    evidence: ClassVar[EvidenceClass] = EvidenceClass.HOST

    def __init__(
        self,
        *,
        apart: bool = False,
        hidden: tuple[Path, ...] = (),
        offline: bool = False,
        scratch: Path | None = None,
    ) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="deployspec-lane-", dir=scratch)
        home = Path(self._scratch.name).resolve()
        self._own, self._given = home / "own", home / "given"
        self._own.mkdir()
        self._given.mkdir()
        self._hidden = tuple(each.resolve() for each in hidden)
        policy = Policy(writes=(self._own,), reads=(self._given,), hidden=hidden, offline=offline)
        self._policy = policy if apart else None
        self._live: dict[str, LiveRunner] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self, runner: Runner) -> None:
        """Let `runner` import its runtime now, beside other work, rather than when it is wanted."""
        family = runner.toolchain.family
        if family in self._live:
            self._live[family].bring(scripts(runner))
        else:
            self._live[family] = LiveRunner(scripts(runner), self._own, self._policy)

    def run(self, program: Program) -> list[dict[str, Any]]:
        """The runner's lines. Raises ProgramFailed when it crashes, hangs or ends without its closing line."""
        self.prepare(program.runner)
        for live in self._live.values():
            live.wait(program.time_limit_s)  # nothing of ours may still be importing beside a timing
        with (
            tempfile.TemporaryDirectory(prefix="run-", dir=self._own) as folder,
            tempfile.TemporaryDirectory(prefix="run-", dir=self._given) as given,
        ):
            nonce = new_nonce()
            files = {name: self._readable(path.resolve(), Path(given, name)) for name, path in program.files.items()}
            _lay_out(Path(folder), program, files, nonce, apart=self._policy is not None)
            lines = lines_of(self._answer(program, Path(folder), nonce), nonce)
            take(Path(folder) / OUT_FOLDER, program.fetch)
            return lines

    def close(self) -> None:
        """End every runner; none may be at work."""
        while self._live:
            self._live.popitem()[1].close()
        self._scratch.cleanup()

    def machine(self) -> Machine:
        """This machine."""
        return this_machine()

    def _readable(self, path: Path, given: Path) -> Path:
        """`path`, or what is `given` in its place: of a folder that holds something hidden, nothing can be read that
        came there after the runner.
        """
        if self._hidden and (path.is_file() or any(path.is_relative_to(each) for each in self._hidden)):
            give(path, given)
            return given
        return path

    def _answer(self, program: Program, folder: Path, nonce: str) -> str:
        family = program.runner.toolchain.family
        live = self._live[family]
        try:
            return live.do(folder, nonce, program.time_limit_s, program.log)
        except BaseException:  # whatever it is at, it does no other program
            self._live.pop(family).close()
            raise


def _lay_out(folder: Path, program: Program, files: Mapping[str, Path], nonce: str, *, apart: bool) -> None:
    """Fill the working folder: `files` are linked, the job is written, and `out` gets the folders of `fetch`."""
    for name, path in files.items():
        (folder / name).symlink_to(path)
    program.fetch.mkdir(parents=True, exist_ok=True)
    for wanted in (program.fetch, *(each for each in program.fetch.rglob("*") if each.is_dir())):
        (folder / OUT_FOLDER / wanted.relative_to(program.fetch)).mkdir(parents=True)
    job = program.job | {"runner": module_of(program.runner), "nonce": nonce, "time_limit_s": program.time_limit_s}
    job["apart"] = apart
    (folder / "job.json").write_text(json.dumps(job))


@cache
def this_machine() -> Machine:
    """Its facts."""
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        python=platform.python_version(),
        isolation=available(),
    )


def _processor() -> str:
    """The processor's name as Linux tells it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
