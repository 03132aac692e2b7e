"""Reads `trust.toml`, strictly: no value is coerced, every fault is told with its place.

trust     = 1                                # the form of this file
threshold = 2                                # so many different keys must have signed a report
required  = { release = 1, approver = 1 }    # and among them so many in each of these roles

[keys.release-machine]
file      = "release.pub.pem"                # beside this file; or pem = '''-----BEGIN PUBLIC KEY----- …'''
roles     = ["release"]                      # release, approver, lab
notBefore = 2026-01-01T00:00:00Z             # optional, as are these two
notAfter  = 2026-12-31T23:59:59Z             # its last second
revokedAt = 2026-09-01T00:00:00Z             # from here on it never counts
"""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from deployspec.diagnostics import At, Diagnostic, KeyPath, nearest
from deployspec.errors import SpecFaults, UsageError
from deployspec.trust.keys import load_verifying_key, read_verifying_key
from deployspec.trust.policy import REPORT_ROLES, Role, TrustedKey, TrustPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deployspec.trust.keys import VerifyingKey

VERSION: Final = 1
MAX_BYTES: Final = 1 << 20
MAX_KEYS: Final = 1000

_TOP: Final[dict[str, type]] = {"trust": int, "threshold": int, "required": dict, "keys": dict}
_KEY: Final[dict[str, type]] = {
    "file": str, "pem": str, "roles": list, "notBefore": datetime, "notAfter": datetime, "revokedAt": datetime,
}  # fmt: skip
_WORDS: Final[dict[type, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "an array",
    dict: "a table",
    datetime: "a date with a time and a zone, as 2026-01-31T12:00:00Z",
    date: "a date without a time",
    time: "a time without a date",
}


def read(file: Path) -> TrustPolicy:
    """The policy that the file holds. Raises SpecFaults."""
    reader = _Reader(file)
    policy = reader.policy(_tree(file))
    if reader.faults or policy is None:
        raise SpecFaults(reader.faults)
    return policy


def _tree(file: Path) -> dict[str, Any]:
    try:
        if file.exists() and not file.is_file():
            raise _unreadable(file, "this is not a regular file")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise _unreadable(file, "the file is over 1 MiB")
        return tomllib.loads(data.decode())
    except OSError as error:
        raise _unreadable(file, f"cannot read the file: {error.strerror}") from None
    except RecursionError:
        raise _unreadable(file, "tables or arrays are nested too deeply") from None
    except ValueError as error:  # of the TOML, of its UTF-8, of an integer with thousands of digits
        raise _unreadable(file, f"not TOML: {error}") from None


def _unreadable(file: Path, message: str) -> SpecFaults:
    place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    line, column = map(int, place.groups()) if place else (None, None)
    message = message[: place.start()] if place else message
    return SpecFaults([Diagnostic(code="unreadable", message=message, file=file, line=line, column=column)])


class _Reader:
    """Reads what is sound and notes what is not, so that one run tells everything."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.faults: list[Diagnostic] = []

    def policy(self, tree: dict[str, Any]) -> TrustPolicy | None:
        """The policy, or None where it cannot be had; faults are noted."""
        top = self._typed(tree, (), _TOP)
        if "trust" not in top:
            self._fault((), "missing-key", "'trust' is missing", f"add trust = {VERSION}", At.KEY)
        elif top["trust"] != VERSION:
            self._fault(("trust",), "unknown-version", f"version {top['trust']} is not known", f"known: {VERSION}")
        keys = self._keys(top.get("keys", {}))
        required = self._required(top.get("required", {}))
        self._expect_reachable(keys, top, required)
        return None if self.faults else TrustPolicy(keys=keys, threshold=top.get("threshold", 1), required=required)

    def _keys(self, tables: dict[str, Any]) -> tuple[TrustedKey, ...]:
        if len(tables) > MAX_KEYS:
            self._fault(("keys",), "too-many", f"more than {MAX_KEYS} keys", "name those whose word you take", At.KEY)
            return ()
        found = [self._key(name, table) for name, table in tables.items()]
        holders: dict[VerifyingKey, str] = {}
        for each in filter(None, found):
            first = holders.setdefault(each.key, each.name)
            if first != each.name:
                message = f"'{each.name}' and '{first}' are the same key, which counts once"
                self._fault(("keys", each.name), "repeated-key", message, "leave one out", At.KEY)
        return tuple(each for each in found if each is not None)

    def _key(self, name: str, table: Any) -> TrustedKey | None:
        path = ("keys", name)
        if not isinstance(table, dict):
            self._wrong_type(path, dict, table)
            return None
        values = self._typed(table, path, _KEY)
        key = self._public_key(values, path)
        roles = self._roles(values.get("roles"), path)
        times = {each: values.get(each) for each in ("notBefore", "notAfter", "revokedAt")}
        if times["notBefore"] and times["notAfter"] and times["notAfter"] < times["notBefore"]:
            self._fault((*path, "notAfter"), "illegal-value", "this lies before notBefore, so the key never counts")
        if key is None:
            return None
        return TrustedKey(
            name=name,
            key=key,
            roles=roles,
            not_before=times["notBefore"],
            not_after=times["notAfter"],
            revoked_at=times["revokedAt"],
        )

    def _public_key(self, values: dict[str, Any], path: KeyPath) -> VerifyingKey | None:
        given = [each for each in ("file", "pem") if each in values]
        if len(given) != 1:
            what = "both 'file' and 'pem' are given" if given else "neither 'file' nor 'pem' gives its public key"
            self._fault(path, "missing-key", what, "give one of them", At.KEY)
            return None
        (form,) = given
        try:
            if form == "file":
                return load_verifying_key(self.file.parent / values["file"])
            return read_verifying_key(values["pem"].encode(), "the text")
        except (UsageError, ValueError) as error:  # a path may hold a null character
            self._fault((*path, form), "bad-key", str(error))
            return None

    def _roles(self, given: list[Any] | None, path: KeyPath) -> frozenset[Role]:
        names = [each.value for each in Role]
        if not given:
            self._fault(path, "missing-key", "it has no role", f"add roles = […]: {', '.join(names)}", At.KEY)
        unknown = [each for each in given or () if each not in names]
        for each in unknown:
            help = nearest(str(each), names) or ", ".join(names)
            self._fault((*path, "roles"), "illegal-value", f"{each!r} is no role", help)
        return frozenset(Role(each) for each in given or () if each in names)

    def _required(self, table: dict[str, Any]) -> dict[Role, int]:
        legal = {role.value: int for role in sorted(REPORT_ROLES)}
        return {Role(name): least for name, least in self._typed(table, ("required",), legal).items()}

    def _expect_reachable(
        self, keys: tuple[TrustedKey, ...], top: Mapping[str, Any], required: Mapping[Role, int]
    ) -> None:
        """A demand that everything meets is a slip, and so is one that nothing can ever meet."""
        wanted: list[tuple[KeyPath, int, frozenset[Role]]] = []
        if "threshold" in top:  # without it the keys may be those of laboratories only
            wanted.append((("threshold",), top["threshold"], REPORT_ROLES))
        wanted += [(("required", role.value), least, frozenset({role})) for role, least in required.items()]
        for path, least, roles in wanted:
            holders = sum(bool(each.roles & roles) for each in keys)
            names = " or ".join(sorted(roles))
            if least < 1:
                self._fault(path, "illegal-value", "this must be at least 1")
            elif not self.faults and holders < least:
                message = f"only {holders} of the keys may speak as {names}, not {least}"
                self._fault(path, "unreachable", message, _within_reach(keys, path[-1], names))

    def _typed(self, table: dict[str, Any], path: KeyPath, legal: Mapping[str, type]) -> dict[str, Any]:
        """The entries that are known and of their type; the others are noted."""
        for name in table.keys() - legal.keys():
            help = nearest(name, legal) or f"known: {', '.join(legal)}"
            self._fault((*path, name), "unknown-key", f"unknown key '{name}'", help, At.KEY)
        for name in table.keys() & legal.keys():
            if not _is(table[name], legal[name]):
                self._wrong_type((*path, name), legal[name], table[name])
        return {name: value for name, value in table.items() if name in legal and _is(value, legal[name])}

    def _wrong_type(self, path: KeyPath, wanted: type, value: Any) -> None:
        found = _WORDS[type(value)] if type(value) is not wanted else "one without a zone"
        self._fault(path, "wrong-type", f"expected {_WORDS[wanted]}, found {found}")

    def _fault(self, path: KeyPath, code: str, message: str, help: str = "", at: At = At.VALUE) -> None:
        self.faults.append(Diagnostic(code=code, message=message, file=self.file, path=path, at=at, help=help))


def _within_reach(keys: tuple[TrustedKey, ...], demand: str | int, names: str) -> str:
    """What to do about a demand that too few of the keys can meet."""
    help = f"add a key with the role {names}"
    if any(each.roles & REPORT_ROLES for each in keys):
        return help
    return f"leave '{demand}' out where only evidence is vouched for, as by these keys of laboratories, or {help}"


def _is(value: Any, kind: type) -> bool:
    return type(value) is kind and not (isinstance(value, datetime) and value.tzinfo is None)
