"""Finds the way from a source's form to a target's, through passes that must happen in the given order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from deployspec.errors import DeploySpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.plan import Form, Lowering


class NoRoute(DeploySpecError):
    """No chain of lowerings leads from the source to the format with those schemes; the text names the gap."""


def find_route(start: Form, goal: Form, schemes: Sequence[str], lowerings: Sequence[Lowering]) -> tuple[Lowering, ...]:
    """The shortest chain of lowerings from `start` to `goal` that realises `schemes` in order.

    A state is a form and how many schemes are done; breadth first, so the first arrival is the shortest,
    and earlier lowerings win ties. Raises NoRoute.
    """
    begin = (start, 0)
    came: dict[tuple[Form, int], tuple[Lowering, ...]] = {begin: ()}
    queue = deque([begin])
    while queue:
        state = queue.popleft()
        form, done = state
        if form == goal and done == len(schemes) and came[state]:
            return came[state]
        for edge in lowerings:
            if edge.takes != form or not _next_scheme(edge, schemes, done):
                continue
            reached = (edge.gives, done + (edge.realises is not None))
            if reached not in came:
                came[reached] = (*came[state], edge)
                queue.append(reached)
    raise NoRoute(_gap(start, goal, schemes, lowerings))


def _next_scheme(edge: Lowering, schemes: Sequence[str], done: int) -> bool:
    return edge.realises is None or (done < len(schemes) and edge.realises == schemes[done])


def _gap(start: Form, goal: Form, schemes: Sequence[str], lowerings: Sequence[Lowering]) -> str:
    if not any(edge.takes == start for edge in lowerings):
        takes = ", ".join(sorted({edge.takes for edge in lowerings if edge.takes != goal})) or "nothing"
        return f"no lowering to {goal} takes {start}; there are lowerings from {takes}"
    able = ", ".join(sorted({edge.realises for edge in lowerings if edge.realises})) or "none"
    return f"{goal} cannot be made with {' then '.join(schemes)}; the schemes that it takes: {able}"
