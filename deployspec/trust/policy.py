"""Whom a verifier trusts: the keys of its own `trust.toml`, what each may vouch for, and from when until when.

Nothing of it comes from a report. A key is told from another by itself: names and key ids decide nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from deployspec.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from deployspec.trust.dsse import Envelope
    from deployspec.trust.keys import VerifyingKey


class Role(StrEnum):
    """What a key may vouch for."""

    RELEASE = "release"
    """Reports: the key of the machine that checks."""
    APPROVER = "approver"
    """Reports: the key of somebody who has looked at one."""
    LAB = "lab"
    """Evidence that was measured elsewhere; never a report."""


REPORT_ROLES = frozenset({Role.RELEASE, Role.APPROVER})


@dataclass(frozen=True, kw_only=True)
class TrustedKey:
    """A public key with its roles. It counts from `not_before` through `not_after`, and never from `revoked_at` on."""

    name: str
    key: VerifyingKey
    roles: frozenset[Role]
    not_before: datetime | None = None
    not_after: datetime | None = None
    revoked_at: datetime | None = None

    def doubt(self, at: datetime) -> str:
        """Why the key does not count at the moment `at`; empty when it does."""
        if self.revoked_at is not None and at >= self.revoked_at:
            return f"'{self.name}' was revoked at {_told(self.revoked_at)}"
        if self.not_before is not None and at < self.not_before:
            return f"'{self.name}' is not valid before {_told(self.not_before)}"
        if self.not_after is not None and at > self.not_after:
            return f"'{self.name}' is not valid after {_told(self.not_after)}"
        return ""


@dataclass(frozen=True, kw_only=True)
class TrustPolicy:
    """The keys that are trusted, and how many of them, in which roles, a report needs."""

    keys: tuple[TrustedKey, ...]
    threshold: int
    required: Mapping[Role, int]

    @classmethod
    def read(cls, path: Path) -> TrustPolicy:
        """The policy in a `trust.toml`. Raises SpecFaults with every fault in it, each at its place."""
        from deployspec.trust import policy_file

        return policy_file.read(path)

    def signers(self, envelope: Envelope, role: Role, at: datetime) -> tuple[TrustedKey, ...]:
        """The keys that signed exactly these bytes, hold the role and count at `at`: each once, however often.

        Here and below, a signature that is shown to have existed at an earlier moment counts as of that one.
        """
        return tuple(each for each in self.signed(envelope) if role in each.roles and not _doubt(each, envelope, at))

    def laboratories(self, at: datetime) -> frozenset[str]:
        """The key ids of those that count for evidence at `at`."""
        return frozenset(each.key.keyid for each in self.keys if Role.LAB in each.roles and not each.doubt(at))

    def vouching(self, envelope: Envelope, at: datetime) -> tuple[TrustedKey, ...]:
        """The keys that vouch for a report at `at`, as many and in such roles as the policy asks.

        Raises TrustError, which says what is missing and why a signature that is there does not count.
        """
        signed = self.signed(envelope)
        counted = [each for each in signed if each.roles & REPORT_ROLES and not _doubt(each, envelope, at)]
        missing = [f"{self.threshold} of its keys in all"] if len(counted) < self.threshold else []
        missing += [
            f"{least} in the role '{role.value}'"
            for role, least in self.required.items()
            if sum(role in each.roles for each in counted) < least
        ]
        if missing:
            raise TrustError(f"the trust policy asks for {' and '.join(missing)}: {_tally(signed, envelope, at)}")
        return tuple(counted)

    def signed(self, envelope: Envelope) -> tuple[TrustedKey, ...]:
        """Its keys that signed exactly these bytes, whether they count or not."""
        found = set(envelope.signers(each.key for each in self.keys))
        return tuple(each for each in self.keys if each.key in found)


def _tally(signed: tuple[TrustedKey, ...], envelope: Envelope, at: datetime) -> str:
    """Who signed, and whose signature does not count for a report."""
    told = [
        _doubt(each, envelope, at)
        or f"'{each.name}' signed ({', '.join(sorted(each.roles))})"
        + ("" if each.roles & REPORT_ROLES else ", which is no role for reports")
        for each in signed
    ]
    return "; ".join(told) or "none of its keys signed these bytes"


def _doubt(trusted: TrustedKey, envelope: Envelope, at: datetime) -> str:
    return trusted.doubt(envelope.stamped(trusted.key) or at)


def _told(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
