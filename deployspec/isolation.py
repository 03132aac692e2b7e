"""Keeps a process that opens models from the network, from secrets, and from writing anywhere but where it must.

As a program, `python -I -S isolation.py POLICY COMMAND…`, it takes these rights away from itself and becomes COMMAND.
What the system offers is used: a network namespace, with others for what processes share in memory, and Landlock
(https://docs.kernel.org/userspace-api/landlock.html) for files, TCP, signals and abstract sockets. Nothing of it needs
privileges, and no process gets its rights back. It is a Linux matter: elsewhere, and in containers that forbid both, a
report says that its processes were unisolated.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECRETS: Final = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".pypirc", ".git-credentials", ".npmrc",
    ".config/gcloud", ".config/gh", ".config/pip", ".config/sops", ".cache/huggingface/token",
    ".cache/huggingface/stored_tokens", ".sigstore", ".password-store", "/run/secrets", "/var/run/secrets",
)  # fmt: skip
"""In a home folder, or beside it: where programs keep what lets them in somewhere."""

NETWORK: Final = "network namespace"
FILES: Final = "Landlock"

_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty")
"""Written to by programs that do no harm."""
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108
"""Where processes keep the locks and arrays that they share: written to where it is a process's own."""

_NEW_USER, _NEW_NETWORK, _NEW_IPC, _NEW_MOUNTS = 0x10000000, 0x40000000, 0x08000000, 0x00020000
_PRIVATE_BENEATH, _NO_DEVICES = 1 << 18 | 1 << 14, 6
_NO_NEW_PRIVILEGES: Final = 38
_DROP_CAPABILITY, _CAPABILITIES = 24, 64
_FILE_OWNERS: Final = range(4)
"""Capabilities that let root use the files of others: all that it keeps."""
_SET_DUMPABLE: Final = 4
_ADOPT_ORPHANS: Final = 36
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_ON_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR | _IOCTL


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a process keeps: it reads all but `hidden`, yet `reads` in there too, and writes beneath `writes` only.

    Whoever starts a process from within a policy has left the network already, and says so by `offline`.
    """

    writes: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    reads: tuple[Path, ...] = ()
    offline: bool = False

    def __post_init__(self) -> None:
        """Refuse what could not hold: rights add up, so that nothing is hidden where a process may write."""
        for secret in self.hidden:
            if any(secret.resolve().is_relative_to(folder.resolve()) for folder in self.writes):
                raise ValueError(f"{secret} cannot be hidden from who may write to the folder that it lies in")

    def command(self, program: Sequence[str]) -> list[str]:
        """The command line that runs `program` under this policy, as far as the system can, wherever it is started."""
        if not available():
            return list(program)
        said = {"offline": self.offline} | {
            name: [str(path.absolute()) for path in paths]
            for name, paths in (("writes", self.writes), ("hidden", self.hidden), ("reads", self.reads))
        }
        return [sys.executable, "-I", "-S", __file__, json.dumps(said), *program]


def hide_memory() -> None:
    """Let no other process of this user look into this one, where a passphrase may be: no debugger, no core dump.

    For a program that starts processes under a policy, before the first.
    """
    if available():
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


@cache
def available() -> tuple[str, ...]:
    """What keeps processes apart here, e.g. `("network namespace", "Landlock 7")`; empty where nothing does."""
    if sys.platform != "linux":
        return ()
    asked = [sys.executable, "-I", "-S", __file__, "", ""]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return tuple(told.split(", ")) if told else ()


def keep_within(folder: Path) -> None:
    """Let this process, of a single thread, and those it starts write beneath `folder` only, and signal no other."""
    if sys.platform == "linux" and _landlock_version():
        _restrict([str(folder), _SHARED_MEMORY], [])  # this as far as the policy that we are under leaves it


def end_orphans() -> None:
    """End and reap all children of this process: none may be of use any longer.

    Of one that was started under a policy they are also those whom their own parents left behind.
    """
    with suppress(ChildProcessError):  # none is left
        while end_beneath(os.getpid()):
            os.waitpid(-1, 0)


def end_beneath(pid: int) -> set[int]:
    """Send SIGKILL to whatever the process started, and what that started in turn; those that it was sent to."""
    found = set(_beneath(pid))
    for each in found:
        with suppress(OSError):
            os.kill(each, signal.SIGKILL)
    return found


def _beneath(pid: int) -> Iterator[int]:
    """Its children, and theirs; empty where the system does not tell."""
    with suppress(OSError):
        for tasks in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (tasks / "children").read_text().split()):
                yield child
                yield from _beneath(child)


def _main(policy: str, *program: str) -> None:
    """Become `program` under `policy`; without a policy, tell what there is."""
    if not policy:
        landlock = _landlock_version()
        found = [NETWORK] * _leave_the_network() + [f"{FILES} {landlock}"] * bool(landlock)
        sys.stdout.write(", ".join(found))
        return
    asked = json.loads(policy)
    own_memory = asked["offline"] or (_leave_the_network() and _share_no_memory())
    ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    if _landlock_version():
        home = os.path.expanduser("~")  # noqa: PTH111 - without a home it stays as it is
        hidden = [*asked["hidden"], *(os.path.join(home, each) for each in SECRETS)]  # noqa: PTH118
        found = [os.path.realpath(each) for each in hidden if os.path.exists(each)]  # noqa: PTH110
        _restrict([*asked["writes"], *[_SHARED_MEMORY] * own_memory], found, asked["reads"])
    os.execvp(program[0], program)  # noqa: S606


def _leave_the_network() -> bool:
    """Whether we are now in a network of our own, which leads nowhere, and out of the memory that has a number."""
    libc, uid, gid = ctypes.CDLL(None), os.getuid(), os.getgid()
    if libc.unshare(_NEW_NETWORK | _NEW_IPC) == 0:
        return True
    if libc.unshare(_NEW_USER | _NEW_NETWORK | _NEW_IPC) != 0:
        return False
    with suppress(OSError):  # then we are nobody, and still without a network
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path("/proc/self", name).write_text(text)
    return True


def _share_no_memory() -> bool:
    """Whether the memory that is shared by name is now our own, and empty; asked of who has left the network.

    Where somebody keeps folders, a project or a store perhaps, they stay in sight, and it is no memory to write to.
    """
    libc = ctypes.CDLL(None)
    with suppress(OSError), os.scandir(_SHARED_MEMORY) as there:
        if any(entry.is_dir(follow_symlinks=False) for entry in there):
            return False
    if libc.unshare(_NEW_MOUNTS) or libc.mount(None, b"/", None, ctypes.c_ulong(_PRIVATE_BENEATH), None):
        return False
    where, how = _SHARED_MEMORY.encode(), ctypes.c_ulong(_NO_DEVICES)
    mounted: int = libc.mount(b"tmpfs", where, b"tmpfs", how, b"mode=1777")
    return mounted == 0


def _landlock_version() -> int:
    """The version of Landlock's interface, 0 without it."""
    found: int = ctypes.CDLL(None).syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    return max(0, found)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def _restrict(writes: Sequence[str], hidden: Sequence[str], reads: Sequence[str] = ()) -> None:
    """Take away all rights to files but these; from then on no TCP, and no signal to whoever started us."""
    version, libc = _landlock_version(), ctypes.CDLL(None, use_errno=True)
    # Each version knows more rights: https://docs.kernel.org/userspace-api/landlock.html#previous-limitations
    files = (1 << (13 + (version >= 2) + (version >= 3) + (version >= 5))) - 1
    attributes = _Ruleset(files, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _checked(libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), 0))
    rules = [*_readable("/", hidden), *((path, _READ) for path in reads)]
    rules += [(path, files) for path in (*writes, *_DEVICES)]
    for path, rights in rules:
        _allow(libc, ruleset, path, rights & files)
    for capability in set(range(_CAPABILITIES)) - set(_FILE_OWNERS):
        libc.prctl(_DROP_CAPABILITY, capability, 0, 0, 0)  # only root has any to drop
    _checked(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))


def _readable(folder: str, hidden: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Rules that let everything beneath `folder` be read but what is hidden, whose names may still be listed.

    A link needs none, and gets none: a rule would be one for what it leads to, a secret's folder perhaps.
    """
    if folder in hidden:
        return
    if not any(each.startswith(folder.rstrip("/") + "/") for each in hidden):
        yield folder, _READ
        return
    yield folder, _READ_DIR
    for path in _entries(folder, hidden):
        if not os.path.islink(path):  # noqa: PTH114
            yield from _readable(path, hidden)


def _entries(folder: str, hidden: Sequence[str]) -> list[str]:
    """What lies in the folder; of one that may not be listed, what leads to something hidden."""
    try:
        return [entry.path for entry in os.scandir(folder)]
    except OSError:
        inside = folder.rstrip("/") + "/"
        return [inside + each.removeprefix(inside).partition("/")[0] for each in hidden if each.startswith(inside)]


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    """Allow `rights` beneath `path`; what is not there, or a link that leads nowhere, needs none."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112
            rights &= _ON_FILES
        rule = _Rule(rights, descriptor)
        _checked(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    _main(*sys.argv[1:])
