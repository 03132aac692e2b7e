"""Reading JSON that may be hostile: one meaning per text, in every reader, or a refusal.

Refused: text over the size cap or the depth cap, bytes that are not UTF-8, an object with a key twice, NaN and
Infinity, any number with a fraction or an exponent (readers round them differently), integers that a double
cannot hold, and lone surrogates.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any, Final, NoReturn

from deployspec.errors import TrustError

MAX_BYTES: Final = 64 * 2**20
MAX_DEPTH: Final = 64
MAX_INTEGER: Final = 2**53 - 1
"""RFC 7493, 2.2: beyond it, readers that keep numbers as doubles see another value."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def loads(data: bytes, what: str) -> Any:
    """The JSON value that `data` holds. `what` names it in messages. Raises TrustError."""
    if len(data) > MAX_BYTES:
        raise TrustError(f"{what} has {len(data)} bytes: more than {MAX_BYTES} are not read")
    if _depth(data) > MAX_DEPTH:
        raise TrustError(f"{what} is nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
        _refuse_lone_surrogates(data, value)
    except ValueError as error:  # of the JSON, of its UTF-8, and of the hooks below
        raise TrustError(f"{what} is not strict JSON: {error}") from None
    return value


def _depth(data: bytes) -> int:
    """The deepest nesting. Counted before parsing, because the parser itself recurses."""
    brackets = _STRING.sub(b"", data).translate(None, _NOT_BRACKETS)
    return max(accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _integer(text: str) -> int:
    if len(text) > len(str(-MAX_INTEGER)) or abs(int(text)) > MAX_INTEGER:
        raise ValueError("an integer beyond 2^53 - 1, which readers round differently")
    return int(text)


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"the number {text[:20]}: only integers and decimal strings are exact in every reader")


def _refuse_lone_surrogates(data: bytes, value: Any) -> None:
    """Half of a surrogate pair decodes to a text that cannot be written again; only an escape can make one."""
    if rb"\u" in data:
        json.dumps(value, ensure_ascii=False).encode()
