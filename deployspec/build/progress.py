"""What a build says while it runs: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TextIO, assert_never

from deployspec.ir.artifact import Done, Failed, StepResult

if TYPE_CHECKING:
    from rich.progress import TaskID

    from deployspec.ir.plan import Step


class Progress(Protocol):
    """Told of every step, always from the main thread."""

    def started(self, step: Step) -> None:
        """A worker began with the step."""

    def waiting(self, step: Step) -> None:
        """The same work is under way elsewhere, mostly in another run; its result will be shared. Said once."""

    def finished(self, step: Step, result: StepResult) -> None:
        """The step is done, was done before, or failed."""


class Silent:
    """Says nothing."""

    def started(self, step: Step) -> None:
        """Nothing."""

    def waiting(self, step: Step) -> None:
        """Nothing."""

    def finished(self, step: Step, result: StepResult) -> None:
        """Nothing."""


class PlainProgress:
    """One line for each event, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def started(self, step: Step) -> None:
        """`start    ID`."""
        self._say("start", step.id)

    def waiting(self, step: Step) -> None:
        """`wait     ID`."""
        self._say("wait", f"{step.id}  the same work is under way")

    def finished(self, step: Step, result: StepResult) -> None:
        """`done`, `cached`, `failed` or `blocked`, the id, and what there is to say."""
        self._say(*outcome(step, result))

    def _say(self, word: str, text: str) -> None:
        self._stream.write(f"{word:<8} {text}\n")
        self._stream.flush()


class RichProgress:
    """A line with a clock for each step under way, below those that are over. A context manager."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import Progress as Display
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = Console(file=stream, highlight=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        self._display = Display(*columns, console=self._console, transient=True)
        self._lines: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._display.stop()

    def started(self, step: Step) -> None:
        """A new line."""
        self.show(step.id, step.id)

    def waiting(self, step: Step) -> None:
        """A new line that says what it waits for."""
        self.show(step.id, f"{step.id} (the same work is under way)")

    def finished(self, step: Step, result: StepResult) -> None:
        """The line goes, its outcome stays above."""
        from rich.text import Text

        self.drop(step.id)
        word, text = outcome(step, result)
        style = "red" if isinstance(result, Failed) else "green"
        self._console.print(Text.assemble((f"{word:<8}", style), " ", text), soft_wrap=True)

    def show(self, name: str, text: str) -> None:
        """A line with a clock that begins now, in place of an earlier one of that name."""
        self.drop(name)
        self._lines[name] = self._display.add_task(text, total=None)

    def drop(self, name: str) -> None:
        """The line goes, if there is one."""
        if name in self._lines:
            self._display.remove_task(self._lines.pop(name))


def outcome(step: Step, result: StepResult) -> tuple[str, str]:
    """A word for the result and a line of details."""
    match result:
        case Done(cached=True):
            return "cached", step.id
        case Done():
            return "done", f"{step.id}  {result.seconds:.1f} s"
        case Failed(blocked_by=None):
            return "failed", f"{step.id}  {result.reason}" + (f"  (log: {result.log})" if result.log else "")
        case Failed():
            return "blocked", f"{step.id}  {result.reason}"
        case _:
            assert_never(result)
