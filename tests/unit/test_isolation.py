"""What a process under a policy cannot do any more, for each thing that the system says keeps it."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deployspec import isolation
from deployspec.build import PlainProgress, Store
from deployspec.errors import DeploySpecError
from deployspec.isolation import FILES, NETWORK, Policy, available, hide_memory
from deployspec.pipeline import check
from deployspec.requests import CheckRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deployspec.ir.spec import Target

ATTEMPTS = """
import json, os, socket, sys
from pathlib import Path

def attempt(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"

folder = Path(sys.argv[1])
listener = int(sys.argv[2])
print(json.dumps({
    "read the secret": attempt(lambda: (folder / "keys" / "secret.pem").read_text()),
    "read beside it": attempt(lambda: (folder / "keys" / "public.pem").read_text()),
    "list its folder": attempt(lambda: os.listdir(folder / "keys")),
    "write outside": attempt(lambda: (folder / "marker").write_text("x")),
    "replace the secret": attempt(lambda: (folder / "keys" / "secret.pem").write_text("x")),
    "remove what is beside it": attempt(lambda: (folder / "keys" / "public.pem").unlink()),
    "write inside": attempt(lambda: (folder / "out" / "made").write_text("x")),
    "connect": attempt(lambda: socket.create_connection(("127.0.0.1", listener), 2)),
    "signal whoever started it": attempt(lambda: os.kill(os.getppid(), 0)),
}))
"""

LANDLOCK = max(0, ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1))
"""The version of the kernel's interface, 0 where it has none."""

ALLOWED = {"read beside it", "list its folder", "write inside"}
BY_FILES = {"read the secret", "write outside", "replace the secret", "remove what is beside it"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("keys", "out"):
        (tmp_path / name).mkdir()
    for name in ("secret.pem", "public.pem"):
        (tmp_path / "keys" / name).write_text("a key")
    (tmp_path / "a way round").symlink_to(tmp_path / "keys")
    return tmp_path


def attempted(project: Path, policy: Policy | None) -> dict[str, str]:
    """What came of each attempt, in a process under the policy; somebody listens on the machine's own network."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        program = [sys.executable, "-c", ATTEMPTS, str(project), str(port)]
        ran = subprocess.run(
            policy.command(program) if policy else program, capture_output=True, text=True, check=False, timeout=60
        )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, str] = json.loads(ran.stdout)
    return found


def test_without_a_policy_all_of_it_can_be_done(project: Path) -> None:
    assert set(attempted(project, None).values()) == {"done"}


def test_under_one_it_does_what_it_must_and_nothing_else(project: Path) -> None:
    policy = Policy(writes=(project / "out",), hidden=(project / "keys" / "secret.pem",))
    found = attempted(project, policy)
    assert {name for name, came in found.items() if name in ALLOWED and came == "done"} == ALLOWED
    if LANDLOCK:
        assert {found[each] for each in BY_FILES} == {"PermissionError"}
        assert not (project / "marker").exists()
    if LANDLOCK >= 4 or NETWORK in available():
        assert found["connect"] != "done"
    if LANDLOCK >= 6:
        assert found["signal whoever started it"] == "PermissionError"


def test_a_path_means_what_it_does_here_wherever_the_process_is_started(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    command = Policy(hidden=(Path("keys", "secret.pem"),)).command(["cat", str(project / "keys" / "secret.pem")])
    ran = subprocess.run(command, cwd=project / "out", capture_output=True, check=False)
    assert (ran.returncode != 0) is bool(LANDLOCK)


class Told(PlainProgress):
    def timing(self, target: Target) -> None:
        """Nothing."""


@pytest.fixture
def dumpable() -> Iterator[Callable[[], bool]]:
    """Whether others may look into this process, which they may at first."""
    libc = ctypes.CDLL(None)
    before = libc.prctl(3, 0, 0, 0, 0)
    libc.prctl(4, 1, 0, 0, 0)
    yield lambda: libc.prctl(3, 0, 0, 0, 0) == 1
    libc.prctl(4, before, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of Linux")
class TestMemory:
    def test_a_command_line_is_told_without_a_change_of_who_asks(
        self, project: Path, dumpable: Callable[[], bool]
    ) -> None:
        assert Policy(writes=(project / "out",)).command(["true"])[-1] == "true"
        assert dumpable()

    def test_it_is_hidden_where_processes_are_kept_apart(self, dumpable: Callable[[], bool]) -> None:
        hide_memory()
        assert dumpable() is not bool(available())

    def test_a_check_hides_it_before_it_reads_a_spec(self, tmp_path: Path, dumpable: Callable[[], bool]) -> None:
        request = CheckRequest(store=Store(tmp_path / "store"), out=tmp_path / "out")
        with pytest.raises(DeploySpecError):
            check(tmp_path / "none.toml", request, Told(sys.stderr))
        assert dumpable() is not bool(available())


def test_what_it_starts_is_kept_as_it_is(project: Path) -> None:
    policy = Policy(writes=(project / "out",))
    child = f"import subprocess, sys; sys.exit(subprocess.call(['sh', '-c', 'echo x > {project}/marker']))"
    ran = subprocess.run(policy.command([sys.executable, "-c", child]), capture_output=True, check=False)
    assert (ran.returncode != 0) is bool(LANDLOCK)
    assert (project / "marker").exists() is not bool(LANDLOCK)


def test_a_folder_to_write_to_that_is_not_there_is_no_fault(project: Path) -> None:
    policy = Policy(writes=(project / "nowhere",), hidden=(project / "none.pem",))
    assert subprocess.run(policy.command(["true"]), check=False).returncode == 0


def test_what_the_kernel_has_is_used_and_told() -> None:
    """A kernel without Landlock keeps nothing apart, and the report says so; one with it must not go unused."""
    assert [each for each in available() if each.startswith(FILES)] == [f"{FILES} {LANDLOCK}"] * bool(LANDLOCK)


def test_nothing_is_hidden_from_who_may_write_beside_it(project: Path) -> None:
    with pytest.raises(ValueError, match="cannot be hidden"):
        Policy(writes=(project,), hidden=(project / "keys" / "secret.pem",))


def test_a_folder_that_may_not_be_listed_keeps_its_secrets() -> None:
    """What leads to a secret is let through by its name; what else is there cannot be known, and is not let."""
    rules = dict(isolation._readable("/not/to/be/listed", ["/not/to/be/listed/user/.ssh"]))
    assert list(rules) == ["/not/to/be/listed", "/not/to/be/listed/user"]


SHARES = """
import ctypes, json, multiprocessing, sys
from pathlib import Path

def attempt(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"

name, key = sys.argv[1], int(sys.argv[2])
print(json.dumps({
    "by its number": ctypes.CDLL(None).shmget(key, 4096, 0o600) >= 0,
    "by its name": Path("/dev/shm", name).exists(),
    "write": attempt(lambda: Path("/dev/shm", f"{name}-new").write_text("x")),
    "lock": attempt(multiprocessing.Lock),
}))
"""


@pytest.fixture
def shared() -> Iterator[tuple[str, int]]:
    """Memory of this machine's that is shared by name, and such by number."""
    name, key, libc = f"deployspec-{uuid.uuid4().hex}", uuid.uuid4().int & 0x7FFFFFFF, ctypes.CDLL(None)
    Path("/dev/shm", name).write_text("x")
    segment = libc.shmget(key, 4096, 0o600 | 0o1000)
    assert segment >= 0
    yield name, key
    libc.shmctl(segment, 0, None)
    for path in Path("/dev/shm").glob(f"{name}*"):
        path.unlink()


def sharing(policy: Policy, name: str, key: int) -> dict[str, Any]:
    program = [sys.executable, "-c", SHARES, name, str(key)]
    ran = subprocess.run(policy.command(program), capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.skipif(NETWORK not in available(), reason="nothing keeps processes apart here")
def test_what_processes_share_in_memory_is_not_shared_with_others(project: Path, shared: tuple[str, int]) -> None:
    """Where no shared memory of its own can be had, a process writes to none; else it has its locks there."""
    found = sharing(Policy(writes=(project / "out",)), *shared)
    assert not found["by its number"]
    if LANDLOCK:
        assert {found["write"], found["lock"]} == {"PermissionError" if found["by its name"] else "done"}
    assert not Path("/dev/shm", f"{shared[0]}-new").exists()


@pytest.mark.skipif(not available(), reason="nothing keeps processes apart here")
def test_a_folder_among_the_shared_memory_stays_in_sight(shared: tuple[str, int]) -> None:
    """A project or a store may lie there: it is read, and written to where the policy says so."""
    own = Path(tempfile.mkdtemp(prefix="deployspec-", dir="/dev/shm"))
    try:
        found = sharing(Policy(writes=(own,)), *shared)
        ran = subprocess.run(Policy(writes=(own,)).command(["touch", str(own / "x")]), check=False)
        assert ran.returncode == 0
        assert (own / "x").exists()
        assert found["by its name"]
        assert found["write"] == ("PermissionError" if LANDLOCK else "done")
    finally:
        shutil.rmtree(own)
