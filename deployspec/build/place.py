"""Where a worker works: what it writes to, what it is given to read, and how its outputs are taken from there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final, Self

from deployspec.build.store import OUT_FOLDER
from deployspec.disk import FULL
from deployspec.errors import StepFailed, StoreError
from deployspec.ir.plan import Action
from deployspec.lanes.giving import give
from deployspec.lanes.taking import take

if TYPE_CHECKING:
    from deployspec.build.messages import Task
    from deployspec.isolation import Policy

_TAKEN: Final = "taken"
"""Beside a worker's own folder, where it does not write: what it wrote, while it is copied."""

_LABELS: Final = "y.npy"
"""What `deployspec.sources.dataset` calls them."""

_LABELLED: Final = (Action.CONVERT, Action.SCORE)
"""Steps that train by labels, or hold answers against them; whatever else runs the model's code is given none."""


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
        for folder in (own, given, home / _TAKEN):
            folder.mkdir()
        kept = replace(policy, writes=(own,), reads=(given,), hidden=(*policy.hidden, *hidden))
        return cls(scratch=own, policy=kept, given=given, hidden=hidden)

    def bring(self, task: Task) -> Task:
        """The task as a worker here can do it."""
        if self.given is None:
            return task
        inputs = {role: self._given(folder, task.step.action) for role, folder in task.job.inputs.items()}
        return replace(task, job=replace(task.job, inputs=inputs, out=self._out(task)))

    def take(self, task: Task) -> None:
        """Copy what the task, done here, wrote to where its output is wanted.

        Raises StepFailed for an output that cannot be read, StoreError where there is no room for it.
        """
        if self.given is None:
            return
        shutil.rmtree(task.job.out, ignore_errors=True)
        moved = Path(mkdtemp(dir=self.given.with_name(_TAKEN)))
        try:
            self._out(task).rename(moved / OUT_FOLDER)  # out of reach: what is copied and removed is no other folder
            take(moved / OUT_FOLDER, task.job.out)
        except OSError as error:
            if error.errno in FULL:
                raise StoreError(f"{error.strerror}. Next: free some space, and run again") from error
            raise StepFailed(task.step.id, f"its output cannot be read: {error.strerror}", task.log) from error
        finally:
            shutil.rmtree(moved, ignore_errors=True)

    def _out(self, task: Task) -> Path:
        """Right in the folder that the worker cannot replace: it may make anything of what lies there, a link too."""
        return self.scratch / task.job.out.parent.name

    def _given(self, folder: Path, action: Action) -> Path:
        """`folder`, or links to the files that such a step may see where it lies in something hidden."""
        assert self.policy is not None
        assert self.given is not None
        for hidden in self.policy.hidden:
            if folder.is_relative_to(hidden):
                there = self.given / action / folder.relative_to(hidden)
                if not there.exists():
                    give(folder, there, without=() if action in _LABELLED else (_LABELS,))
                return there
        return folder
