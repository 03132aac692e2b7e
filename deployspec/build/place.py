"""Where a worker works: what it writes to, what it is given to read, and how its outputs are taken from there."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Self

from deployspec.build.store import FULL
from deployspec.errors import StepFailed, StoreError
from deployspec.lanes.taking import take

if TYPE_CHECKING:
    from deployspec.build.messages import Task
    from deployspec.isolation import Policy


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folder of a worker's temporary files, and the policy that it works under.

    One that is kept `apart` writes there only. What its steps take is linked to `given` where they could not read it
    otherwise; what they wrote is copied from there, so that nothing of them changes it afterwards.
    """

    scratch: Path
    policy: Policy | None = None
    given: Path | None = None
    hidden: tuple[Path, ...] = ()

    @classmethod
    def apart(cls, scratch: Path, policy: Policy, hidden: tuple[Path, ...]) -> Self:
        """New folders in `scratch` for a worker that may not read `hidden` either."""
        home = Path(mkdtemp(prefix="worker-", dir=scratch))
        own, given = home / "own", home / "given"
        own.mkdir()
        given.mkdir()
        kept = replace(policy, writes=(own,), reads=(given,), hidden=(*policy.hidden, *hidden))
        return cls(scratch=own, policy=kept, given=given, hidden=hidden)

    def bring(self, task: Task) -> Task:
        """The task as a worker here can do it."""
        if self.given is None:
            return task
        inputs = {role: self._given(folder) for role, folder in task.job.inputs.items()}
        return replace(task, job=replace(task.job, inputs=inputs, out=self._out(task)))

    def take(self, task: Task) -> None:
        """Copy what the task, done here, wrote to where its output is wanted.

        Raises StepFailed for an output that cannot be read, StoreError where there is no room for it.
        """
        if self.given is None:
            return
        shutil.rmtree(task.job.out, ignore_errors=True)
        try:
            take(self._out(task), task.job.out)
        except OSError as error:
            if error.errno in FULL:
                raise StoreError(f"{error.strerror}. Next: free some space, and run again") from error
            raise StepFailed(task.step.id, f"its output cannot be read: {error.strerror}", task.log) from error
        shutil.rmtree(self._out(task), ignore_errors=True)

    def _out(self, task: Task) -> Path:
        return self.scratch / task.job.out.parent.name / task.job.out.name

    def _given(self, folder: Path) -> Path:
        """`folder`, or links to its files where it lies in something hidden."""
        assert self.policy is not None
        assert self.given is not None
        for hidden in self.policy.hidden:
            if folder.is_relative_to(hidden):
                there = self.given / folder.relative_to(hidden)
                if not there.exists():
                    shutil.copytree(folder, there, copy_function=_link)
                return there
        return folder


def _link(source: str, target: str) -> None:
    """The same file under another name; a copy where the file system knows no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
