"""The lane to this machine: a working folder, a subprocess, no copies of large files."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from deployspec.ir.evidence import EvidenceClass, Machine
from deployspec.lanes.program import ProgramFailed, lines_of, new_nonce

if TYPE_CHECKING:
    from deployspec.lanes.program import Program

GRACE_S: Final = 5
"""How long after its own watchdog a runner may still be alive before the lane ends it."""

_ONE_THREAD: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "XNNPACK_NUM_THREADS")


@dataclass(frozen=True)
class HostLane:
    """Runs programs on this machine's CPU, one thread each."""

    name: ClassVar[str] = "host"
    evidence: ClassVar[EvidenceClass] = EvidenceClass.HOST

    def run(self, program: Program) -> list[dict[str, Any]]:
        """The runner's lines. Raises ProgramFailed when it crashes, hangs or ends without its closing line."""
        with tempfile.TemporaryDirectory(prefix="deployspec-run-") as folder:
            nonce = new_nonce()
            script = _lay_out(Path(folder), program, nonce)
            return lines_of(_execute(script, program), nonce)

    def machine(self) -> Machine:
        """This machine."""
        return _this_machine()


def _lay_out(folder: Path, program: Program, nonce: str) -> Path:
    """Fill the working folder and return the script to start: scripts are copied, files linked."""
    scripts = [Path(shutil.copy(source, folder)) for source in program.scripts()]
    for name, path in program.files.items():
        (folder / name).symlink_to(path.resolve())
    program.fetch.mkdir(parents=True, exist_ok=True)
    (folder / "out").symlink_to(program.fetch.resolve())
    job = program.job | {"nonce": nonce, "time_limit_s": program.time_limit_s}
    (folder / "job.json").write_text(json.dumps(job))
    return scripts[0]


def _execute(script: Path, program: Program) -> str:
    """Start the script in its folder and wait for it; its standard error goes to the log."""
    with (program.log or Path(os.devnull)).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, script.name, "job.json"],
            cwd=script.parent,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            output, _ = process.communicate(timeout=program.time_limit_s + GRACE_S)
        except subprocess.TimeoutExpired:
            raise ProgramFailed(f"no answer within {program.time_limit_s} s") from None
        finally:
            _end(process)
    return output


def _end(process: subprocess.Popen[str]) -> None:
    """Make sure that nothing is left; the runner takes its own child with it when it is told to end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not _secret(key)}
    return kept | dict.fromkeys(_ONE_THREAD, "1") | {"PYTHONDONTWRITEBYTECODE": "1"}


def _secret(name: str) -> bool:
    return name.startswith("DEPLOYSPEC_KEY") or any(word in name for word in ("TOKEN", "SECRET", "PASSWORD"))


@cache
def _this_machine() -> Machine:
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        python=platform.python_version(),
    )


def _processor() -> str:
    """The processor's name as Linux tells it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
