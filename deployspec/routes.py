"""Finds the way from a source's form to a target's, through passes that must happen in the given order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from deployspec.errors import DeploySpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.plan import Form, Lowering


class NoRoute(DeploySpecError):
    """No chain of lowerings leads from the source to the format through the passes; the text names the gap.

    `stuck` is the place of the first pass that cannot be had, None where the format itself is out of reach; `able`
    are those that could stand in its place.
    """

    def __init__(self, message: str, *, stuck: int | None = None, able: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.stuck = stuck
        self.able = able


def find_route(start: Form, goal: Form, wanted: Sequence[str], lowerings: Sequence[Lowering]) -> tuple[Lowering, ...]:
    """The shortest chain of lowerings from `start` to `goal` that realises `wanted` in order. Raises NoRoute."""
    found = _search(start, goal, wanted, lowerings)
    if found is None:
        raise _gap(start, goal, wanted, lowerings)
    return found


def _search(
    start: Form, goal: Form, wanted: Sequence[str], lowerings: Sequence[Lowering]
) -> tuple[Lowering, ...] | None:
    """Breadth first, so the first arrival is the shortest, and earlier lowerings win ties.

    A state is a form and how much of what is wanted is done.
    """
    begin = (start, 0)
    came: dict[tuple[Form, int], tuple[Lowering, ...]] = {begin: ()}
    queue = deque([begin])
    while queue:
        state = queue.popleft()
        form, done = state
        if form == goal and done == len(wanted) and came[state]:
            return came[state]
        for edge in lowerings:
            if form not in edge.takes or not _comes_next(edge, wanted, done):
                continue
            reached = (edge.gives, done + (edge.realises is not None))
            if reached not in came:
                came[reached] = (*came[state], edge)
                queue.append(reached)
    return None


def _comes_next(edge: Lowering, wanted: Sequence[str], done: int) -> bool:
    return edge.realises is None or (done < len(wanted) and edge.realises == wanted[done])


def _gap(start: Form, goal: Form, wanted: Sequence[str], lowerings: Sequence[Lowering]) -> NoRoute:
    possible = {edge.realises for edge in lowerings if edge.realises is not None}
    for stuck in range(len(wanted)):
        if _search(start, goal, wanted[: stuck + 1], lowerings) is None:
            before = list(wanted[:stuck])
            others = sorted(possible.difference(before))  # a model goes through a pass once
            able = tuple(each for each in others if _search(start, goal, [*before, each], lowerings))
            if not able and _search(start, goal, before, lowerings) is None:
                break
            after = f" after {' then '.join(before)}" if before else ""
            return NoRoute(f"{goal} cannot be made from {start} with {wanted[stuck]}{after}", stuck=stuck, able=able)
    takes = ", ".join(sorted({form for edge in lowerings for form in edge.takes} - {goal})) or "nothing"
    return NoRoute(f"no lowering leads from {start} to {goal}, which is made from {takes}")
