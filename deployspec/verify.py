"""The way back: from a report's bytes to a conclusion that needs nobody's word.

Steps 1 to 5 read. Each trusts only what the one before it established: bytes are verified first, and those same
bytes are parsed; the first refusal ends the verification. Steps 6 to 12 each check what was read, and all of
them are run. Two import more than cryptography: step 10, which derives the verdicts, and step 2 where
it is given timestamp authorities.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from deployspec import digests
from deployspec.errors import DigestMismatch, ExitCode, NotAReport, TrustError
from deployspec.ir.evidence import Count, Reduction
from deployspec.ir.report import read_time, write_time
from deployspec.ir.verdict import Outcome
from deployspec.report import statement
from deployspec.report.consistency import contradictions
from deployspec.trust import dsse, strict
from deployspec.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from cryptography.x509 import Certificate

    from deployspec.ir.report import Digest, Report, TargetReport
    from deployspec.report.statement import Statement
    from deployspec.trust.keys import VerifyingKey
    from deployspec.trust.policy import TrustPolicy

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the clock of the machine that checked may run ahead of ours."""


@dataclass(frozen=True, kw_only=True)
class Demands:
    """What the verifier knows and asks for; nothing of it comes from the report.

    Every one of `keys` must have signed; or else as many of the `trust` policy's, in such roles, as it asks. `at` is
    the moment by which keys, freshness and waivers are judged. `artifacts` holds `<target>/<file>`; None leaves them
    unchecked. With `authorities` every signature must have been stamped by one of them, and its key is judged by the
    moment of that; `tokens` are the report's, by the number of the signature, from 1 on.
    """

    at: datetime
    keys: tuple[VerifyingKey, ...] = ()
    trust: TrustPolicy | None = None
    authorities: tuple[Certificate, ...] = ()
    tokens: Mapping[int, bytes] = field(default_factory=dict)
    allow_unsigned: bool = False
    artifacts: Path | None = None
    spec_sha256: str | None = None
    model_sha256: str | None = None
    data_sha256: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By split, the digests of its files: these and no others."""
    policy_sha256: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By the name that the report gives it, the digest of a policy that the spec extends."""


class State(StrEnum):
    """How a step went."""

    OK = "ok"
    NOT_CHECKED = "not checked"
    REFUSED = "refused"


Finding = tuple[State, str]


@dataclass(frozen=True)
class Step:
    """One step of the verification, and what it found."""

    name: str
    state: State
    detail: str


@dataclass(frozen=True)
class Verification:
    """The steps that were taken, in order, and the report that the bytes hold (None when none was read).

    `payload` is the statement, exactly the bytes that were verified; None while there is any doubt.
    """

    steps: tuple[Step, ...]
    report: Report | None = None
    signers: tuple[str, ...] = ()
    payload: bytes | None = None

    @property
    def holds(self) -> bool:
        """Whether no step found a reason to doubt the report."""
        return self.report is not None and all(step.state is not State.REFUSED for step in self.steps)

    @property
    def exit_code(self) -> ExitCode:
        """5 on any doubt, else what the report concludes."""
        return self.report.result.exit_code if self.report and self.holds else ExitCode.UNTRUSTED


def verify(data: bytes, demands: Demands) -> Verification:
    """Take every step on the report in `data`. Never raises for what `data` or the artifacts hold."""
    steps: list[Step] = []
    try:
        envelope, found = _read(data, demands, steps)
    except TrustError:
        return Verification(tuple(steps))
    for name, check in _CHECKS:
        with suppress(TrustError, DigestMismatch), _step(name, steps) as note:
            note(*check(found, demands))
    verification = Verification(tuple(steps), found.report, _signers(envelope, demands))
    return replace(verification, payload=envelope.payload) if verification.holds else verification


def _signers(envelope: dsse.Envelope, demands: Demands) -> tuple[str, ...]:
    """The key ids of those whose signatures were asked for and count."""
    if demands.trust is not None:
        return tuple(each.key.keyid for each in demands.trust.vouching(envelope, demands.at))
    return tuple(key.keyid for key in envelope.signers(demands.keys))


def read_unverified(data: bytes) -> tuple[dsse.Envelope, Report]:
    """The report in `data`, read as strictly as `verify` reads it, with nothing of it verified.

    Raises NotAReport for what is none, and TrustError for one that contradicts itself.
    """
    try:
        envelope = dsse.read(data)
        _expect_in_toto(envelope)
        found = _parsed(envelope)
    except TrustError as error:
        raise NotAReport(str(error)) from None
    return envelope, _consistent(found).report


@contextmanager
def _step(name: str, steps: list[Step]) -> Iterator[Callable[[State, str], None]]:
    """Record one step: what its body notes, or the failure that it raises, which goes on its way."""
    try:
        yield lambda state, detail: steps.append(Step(name, state, detail))
    except (TrustError, DigestMismatch) as refusal:
        steps.append(Step(name, State.REFUSED, str(refusal)))
        raise


def _read(data: bytes, demands: Demands, steps: list[Step]) -> tuple[dsse.Envelope, Statement]:
    with _step("envelope", steps) as note:  # 1
        envelope = dsse.read(data)
        note(State.OK, f"a DSSE envelope with {counted(len(envelope.signatures), 'signature')}")
    with _step("signature", steps) as note:  # 2
        envelope = _stamped(envelope, demands)
        note(*_signature(envelope, demands))
    with _step("trust policy", steps) as note:  # 3
        note(*_trust_policy(envelope, demands))
    with _step("payload type", steps) as note:  # 4
        _expect_in_toto(envelope)
        note(State.OK, envelope.payload_type)
    with _step("statement", steps) as note:  # 5
        found = _consistent(_parsed(envelope))
        left_out = found.report.left_out
        without = f" ({', '.join(left_out)} of its spec left out)" if left_out else ""
        note(State.OK, f"a report on {counted(len(found.report.targets), 'target')}{without}, in strict form")
    return envelope, found


def _stamped(envelope: dsse.Envelope, demands: Demands) -> dsse.Envelope:
    """The envelope with the moments by which its signatures are shown to have existed, where that is asked for."""
    if not demands.authorities:
        return envelope
    from deployspec.trust import timestamp

    return timestamp.stamped(envelope.with_tokens(demands.tokens), demands.authorities, demands.at + CLOCK_SKEW)


def _signature(envelope: dsse.Envelope, demands: Demands) -> Finding:
    """Each key must have signed exactly these bytes; keys are told apart by themselves, not by their names."""
    if demands.trust is not None:
        names = demands.trust.signed(envelope)
        if not names:
            raise TrustError("no signature over these bytes by a key of the trust policy")
        return State.OK, f"signed by {', '.join(f'{each.name!r} {_told(each.key, envelope)}' for each in names)}"
    if demands.keys:
        signed = envelope.signers(demands.keys)
        missing = [key.keyid for key in demands.keys if key not in signed]
        if missing:
            raise TrustError(f"no signature over these bytes by {', '.join(missing)}")
        return State.OK, f"signed by {', '.join(_told(key, envelope) for key in signed)}"
    if not envelope.signatures and not demands.allow_unsigned:
        raise TrustError("UNSIGNED: anyone could have written it (--allow-unsigned accepts that)")
    if not demands.allow_unsigned:
        raise TrustError("no public key was given to check its signature with (--public-key or --trust)")
    return State.NOT_CHECKED, "UNSIGNED" if not envelope.signatures else "no public key was given"


def _told(key: VerifyingKey, envelope: dsse.Envelope) -> str:
    stamped = envelope.stamped(key)
    return key.keyid + (f" (stamped {write_time(stamped)})" if stamped else "")


def _trust_policy(envelope: dsse.Envelope, demands: Demands) -> Finding:
    """Enough of the keys, in the roles that are asked for, must be valid now, or when their signatures were stamped."""
    if demands.trust is None:
        return State.NOT_CHECKED, "no trust policy was given (--trust)"
    vouching = demands.trust.vouching(envelope, demands.at)
    told = ", ".join(f"{each.name!r} ({', '.join(sorted(each.roles))})" for each in vouching)
    return State.OK, f"{counted(len(vouching), 'key')} of {demands.trust.threshold} asked for: {told}"


def _expect_in_toto(envelope: dsse.Envelope) -> None:
    if envelope.payload_type != dsse.IN_TOTO:
        raise TrustError(f"the payload is {envelope.payload_type!r}, not {dsse.IN_TOTO}")


def _parsed(envelope: dsse.Envelope) -> Statement:
    return statement.from_json(strict.loads(envelope.payload, "the payload"))


def _consistent(found: Statement) -> Statement:
    problems = contradictions(found.report)
    if problems:
        raise TrustError(f"the report contradicts itself: {'; '.join(problems[:5])}")
    return found


def _subjects(found: Statement, _: Demands) -> Finding:  # 6
    """What the statement vouches for must be the artifacts that the report judges, no more and no less."""
    expected = statement.subjects(found.report)
    if sorted(map(_pair, found.subjects)) != sorted(map(_pair, expected)):
        raise TrustError("the statement's subjects are not the artifacts of its targets")
    return State.OK, f"{counted(len(expected), 'artifact')}, each named with its digest"


def _artifacts(found: Statement, demands: Demands) -> Finding:  # 7
    if demands.artifacts is None:
        return State.NOT_CHECKED, "artifacts not checked: no folder was given (--artifacts), and none lies beside it"
    expected = [target for target in found.report.targets if target.artifact]
    for target in expected:
        _expect_artifact(demands.artifacts, target, set(_sizes(found.report, target)))
    return State.OK, f"{counted(len(expected), 'artifact')} in '{demands.artifacts}' with the recorded digests"


def _sizes(report: Report, target: TargetReport) -> Iterator[Decimal]:
    """The bytes that the artifact has by the report's figures, whoever took them."""
    for each in report.measurements:
        match each.statistic:
            case Count(value=size) if (each.target, each.name) == (target.name, "size"):
                yield size
            case Reduction(after=size) if (each.target, each.name) == (target.name, "size_reduction"):
                yield size


def _expect_artifact(folder: Path, target: TargetReport, sizes: set[Decimal]) -> None:
    assert target.artifact is not None
    name = f"{target.name}/{target.artifact.name}"  # both were held to be plain names
    try:
        if (folder / target.name).is_symlink():
            raise DigestMismatch(f"{name!r}: its folder is a link")
        actual = digests.sha256_artifact(folder / name, folder=target.folder)
        size = digests.size_bytes(folder / name)
    except OSError as error:  # a disk that fails, a name that is too long for this system
        raise DigestMismatch(f"{name[:200]!r} cannot be read: {error.strerror}") from None
    if actual != target.artifact.sha256:
        raise DigestMismatch(f"{name!r} has digest {actual}, the report was made for {target.artifact.sha256}")
    if wrong := sizes - {size}:
        raise DigestMismatch(f"{name!r} has {size} bytes, the report says {', '.join(f'{each:f}' for each in wrong)}")


def _expectations(found: Statement, demands: Demands) -> Finding:  # 8
    """The spec, its policies, the model and the data that the verifier has in hand must be those that were checked."""
    asked = []
    if demands.spec_sha256 is not None:
        asked.append("spec")
        if demands.spec_sha256 != found.report.spec.sha256:
            raise TrustError(f"the report is for a spec with digest {found.report.spec.sha256}")
    for name, sha256 in demands.policy_sha256.items():
        asked.append(f"policy '{name}'")
        _expect_policy(found.report, name, sha256)
    if demands.model_sha256 is not None:
        asked.append("model")
        model = next(iter(found.report.sources), None)  # the weights, or else the source's own file
        if model is None or demands.model_sha256 != model.sha256:
            known = f"{model.name!r} {model.sha256}" if model else "it names no source"
            raise TrustError(f"the report is for another model: {known}")
    unknown = [split for split, sha256 in demands.data_sha256.items() if not _tells(found.report, split, sha256)]
    asked += [f"split '{split}'" for split in demands.data_sha256 if split not in unknown]
    if not asked and not unknown:
        return State.NOT_CHECKED, "none was given (--expect-spec, --expect-policy, --expect-model, --expect-data)"
    met = [f"as expected: the {', the '.join(asked)}"] if asked else []
    left = list(_policies_left(found.report, demands))
    if unknown:
        told = "it comes from code, whose digest does not tell what it yielded"
        left.append(f"split {', '.join(map(repr, unknown))}: {told}")
    return State.NOT_CHECKED if left else State.OK, "; ".join([*left, *met])


def _expect_policy(report: Report, name: str, expected: frozenset[str]) -> None:
    recorded = {each.sha256 for each in report.policies if each.name == name}
    if recorded != expected:
        known = ", ".join(f"{each.name!r} {each.sha256}" for each in report.policies) or "none"
        raise TrustError(f"the report is for another policy than that {name!r}: its spec extends {known}")


def _policies_left(report: Report, demands: Demands) -> Iterator[str]:
    """The policies of which nothing is expected: whoever loosens one loosens the spec that extends it."""
    names = [repr(each.name) for each in report.policies if each.name not in demands.policy_sha256]
    if names:
        yield f"policy {', '.join(names)}: no digest was given (--expect-policy)"


def _tells(report: Report, split: str, expected: frozenset[str]) -> bool:
    """Whether the digests of a split, which must be those, tell its data: of code that yields it they may not."""
    rows = ((each.name.partition(": "), each.sha256) for each in report.data)
    files = {name: sha256 for (of, _, name), sha256 in rows if of == split}
    if set(files.values()) != expected:
        known = ", ".join(f"{name} {sha256}".strip() for name, sha256 in files.items()) or "absent"
        raise TrustError(f"the report is for other data: '{split}' is {known}")
    return any(":" in name for name in files) or not any(name.endswith(".py") for name in files)


def _evidence(found: Statement, demands: Demands) -> Finding:  # 9
    """Evidence that a laboratory is said to have signed must be by one of ours."""
    signed = [run for run in found.report.imports if run.signers]
    if not signed:
        return State.OK, "none of it rests on another's signature"
    if demands.trust is None:
        return State.NOT_CHECKED, "the labs that signed some of it are the report's word: no trust policy was given"
    ours = demands.trust.laboratories(demands.at)
    foreign = sorted({f"'{run.file.name}' of {run.target}" for run in signed if not ours.intersection(run.signers)})
    if foreign:
        raise TrustError(f"no laboratory of the trust policy signed {', '.join(foreign)}")
    return State.OK, f"{counted(len(signed), 'run')} signed by a laboratory of the trust policy"


def _verdicts(found: Statement, _: Demands) -> Finding:  # 10
    """Every verdict must follow from the recorded statistics, and the result from the verdicts."""
    from deployspec.rederive import doubts  # and with it numpy and scipy's special functions

    report = found.report
    if doubt := next(doubts(report, _time(report.checked_at)), ""):
        raise TrustError(doubt)
    told = f"{counted(len(report.verdicts), 'verdict')} derived again, each the same"
    return State.OK, f"{told}; result '{report.result.value}'"


def _freshness(found: Statement, demands: Demands) -> Finding:  # 11
    report = found.report
    if _time(report.checked_at) > demands.at + CLOCK_SKEW:
        raise TrustError(f"it was checked at {report.checked_at}, which lies in the future")
    if not report.expires_at:
        return State.OK, f"checked at {report.checked_at}; it does not expire"
    if _time(report.expires_at) <= demands.at:
        raise TrustError(f"it expired at {report.expires_at}: check again")
    return State.OK, f"checked at {report.checked_at}, holds until {report.expires_at}"


def _waivers(found: Statement, demands: Demands) -> Finding:  # 12
    """A waiver must hold when the report is used, not only when it was made (which step 10 derives)."""
    waived = [each for each in found.report.verdicts if each.verdict is Outcome.WAIVED]
    holding = {(each.target, each.budget) for each in found.report.waivers if each.holds_at(demands.at)}
    lapsed = [f"{each.target} {each.budget}" for each in waived if (each.target, each.budget) not in holding]
    if lapsed:
        raise TrustError(f"waivers that the result rests on have expired: {', '.join(lapsed)}")
    return (
        State.OK,
        f"{counted(len(waived), 'waived verdict')}, every waiver still holding" if waived else "none is used",
    )


_CHECKS: Final = (
    ("subjects", _subjects),
    ("artifacts", _artifacts),
    ("expectations", _expectations),
    ("evidence", _evidence),
    ("verdicts", _verdicts),
    ("freshness", _freshness),
    ("waivers", _waivers),
)


def _time(text: str) -> datetime:
    try:
        return read_time(text)
    except ValueError as error:
        raise TrustError(str(error)) from None


def _pair(digest: Digest) -> tuple[str, str]:
    return digest.name, digest.sha256
