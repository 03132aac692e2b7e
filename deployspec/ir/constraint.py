"""What a type hint demands beyond its type, of whatever is read by its hints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """What a hint demands beyond its type: characters or items, least and greatest value, a regular expression.

    `gt` and `lt` are the ends of a range that do not belong to it. `form` is the pattern in words.
    """

    min_length: int | None = None
    ge: int | None = None
    le: int | None = None
    gt: int | None = None
    lt: int | None = None
    pattern: str | None = None
    form: str = ""

    def breach(self, value: Any) -> str:
        """What of it the value does not hold, in words; empty when it holds everything."""
        if self.min_length is not None and len(value) < self.min_length:
            return "this must not be empty"
        if self.ge is not None and value < self.ge:
            return f"this must be at least {self.ge}"
        if self.le is not None and value > self.le:
            return f"this must be at most {self.le}"
        if self.gt is not None and value <= self.gt:
            return f"this must be more than {self.gt}"
        if self.lt is not None and value >= self.lt:
            return f"this must be less than {self.lt}"
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            return f"this must be {self.form}" if self.form else f"this must match {self.pattern}"
        return ""


Text = Annotated[str, Constraint(min_length=1)]
Sha256 = Annotated[str, Constraint(pattern="^[0-9a-f]{64}$", form="64 lower-case hex digits")]
