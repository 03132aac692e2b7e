"""Bytes to an evidence document: strict JSON, known version, right form, no contradiction; each fault with its place.

A place is a JSON pointer (RFC 6901). Faults of the JSON and contradictions are told all at once; of the form, which
says what the rest means, the first.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deployspec.diagnostics import nearest
from deployspec.errors import EvidenceFault, UsageError
from deployspec.ir import codec
from deployspec.ir.evidence_file import VERSION, EvidenceFile
from deployspec.measure.imported.contradictions import Fault, contradictions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BYTES: Final = 64 * 2**20
MAX_DEPTH: Final = 64

_MARK: Final = "deployspecEvidence"

_UNKNOWN: Final = "unknown field '{}'"
_SAID: Final = {r"expected no field \['(.*?)'.*": _UNKNOWN, r"expected the field \['(.*?)'.*": "'{}' is missing"}
"""What the codec says, in the words of this file."""


def read_document(data: bytes, file: Path) -> EvidenceFile:
    """The document that `data` holds; `file` names it in messages. Raises EvidenceFault."""
    tree = _json(data, file)
    _refuse(file, _version(tree))
    try:
        document = codec.decode(EvidenceFile, tree)
    except codec.CodecError as error:
        raise EvidenceFault(file, [_form(str(error))]) from None
    _refuse(file, contradictions(document))
    return document


def read_file(file: Path) -> bytes:
    """The file's bytes, as far as any document may reach. Raises UsageError."""
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read the evidence '{file}': {error.strerror}") from None


def is_envelope(data: bytes) -> bool:
    """Whether `data` is JSON of the form in which a document is signed, whatever it holds."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(tree, dict) and "payloadType" in tree


def _refuse(file: Path, faults: Iterator[Fault]) -> None:
    found = list(faults)
    if found:
        raise EvidenceFault(file, found)


@dataclass(frozen=True)
class _Bad:
    """What stands in the tree for a text that JSON allows and evidence does not."""

    why: str


def _json(data: bytes, file: Path) -> Any:
    if len(data) > MAX_BYTES:
        raise EvidenceFault(file, [("", f"it has more than {MAX_BYTES:,} bytes: hand in several files")])
    try:
        tree = json.loads(
            data.decode(), object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_number
        )
    except json.JSONDecodeError as error:
        fault = ("", f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}")
        raise EvidenceFault(file, [fault]) from None
    except UnicodeDecodeError:
        raise EvidenceFault(file, [("", "it is not UTF-8: save it as UTF-8")]) from None
    except RecursionError:
        raise EvidenceFault(file, [("", f"it is nested deeper than {MAX_DEPTH} levels")]) from None
    _refuse(file, _bad_places(tree))
    return tree


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = _Bad("this key stands twice in one object: leave one of them out") if key in found else value
    return found


def _integer(text: str) -> int | _Bad:
    if len(text) > len(str(-codec.MAX_INTEGER)) or abs(int(text)) > codec.MAX_INTEGER:
        return _Bad("a whole number beyond 2^53 - 1, which readers round differently")
    return int(text)


def _number(text: str) -> _Bad:
    if text[-1].isdigit():
        return _Bad(f'{text[:20]} is a binary fraction, which readers round differently: write it as "{text[:20]}"')
    return _Bad(f"{text[:20]} is no measurement: leave out what could not be measured")


def _bad_places(tree: Any) -> Iterator[Fault]:
    """Every `_Bad` in the tree, and the first place that lies too deep; without recursion."""
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), tree)]
    while pending:
        path, value = pending.pop()
        if len(path) > MAX_DEPTH:
            yield "", f"it is nested deeper than {MAX_DEPTH} levels"
            return
        if isinstance(value, _Bad):
            yield _pointer(path), value.why
        elif isinstance(value, str) and not _is_text(value):
            yield _pointer(path), "half of a surrogate pair is no text"
        elif isinstance(value, dict):
            pending.extend(((*path, key), each) for key, each in reversed(value.items()))
        elif isinstance(value, list):
            pending.extend(((*path, i), value[i]) for i in reversed(range(len(value))))


def _is_text(value: str) -> bool:
    """Whether it can be written again; an escape can make what cannot."""
    return value.isascii() or value.encode(errors="replace").decode() == value


def _pointer(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _version(tree: Any) -> Iterator[Fault]:
    version = tree.get(_MARK) if isinstance(tree, dict) else None
    if version is None:
        yield "", f'it is no evidence document: it does not begin with {{"{_MARK}": {VERSION}, …'
    elif version is True or version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        what_next = "a newer deployspec reads it" if newer else f"known: {VERSION}"
        yield f"/{_MARK}", f"version {version!r} of evidence documents is not known: {what_next}"


def _form(text: str) -> Fault:
    """A CodecError, `runs[0].processes[2].p95Ms: expected …`, as a fault with a pointer."""
    place, _, what = text.partition(": ")
    inside = place != codec.WHOLE
    pointer = "/" + re.sub(r"\[(\d+)\]", r"/\1", place).replace(".", "/") if inside else ""
    for pattern, told in _SAID.items():
        if found := re.fullmatch(pattern, what):
            return pointer, told.format(found[1]) + (_hint(found[1]) if told is _UNKNOWN else "")
    return pointer, what


def _hint(word: str) -> str:
    near = nearest(word, codec.field_names(EvidenceFile))
    return f": {near}" if near else ""
