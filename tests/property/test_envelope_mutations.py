"""Whatever is done to a signed envelope, it verifies only while it says what was signed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st
from sample_reports import CHECKED_AT, DSSE_KEY, envelope, failing, passing, sealed

from deployspec.errors import ExitCode, TrustError
from deployspec.ir import codec
from deployspec.ir.evidence import EvidenceClass
from deployspec.ir.verdict import Outcome, Verdict, Waiver
from deployspec.trust import dsse, strict
from deployspec.verify import Demands, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

PAYLOAD = b'{"_type":"small","n":[1,2,3]}'
SMALL = sealed(PAYLOAD, DSSE_KEY)
REPORT = envelope(passing(), DSSE_KEY)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def assert_nothing_signed_has_changed(mutated: bytes, original: bytes) -> None:
    """Either refused, or signed content and type are still the original's."""
    try:
        found = dsse.read(mutated)
    except TrustError:
        return
    if found.signers([DSSE_KEY.public]):
        signed = dsse.read(original)
        assert (found.payload, found.payload_type) == (signed.payload, signed.payload_type)


def spliced(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for start, length, insert in edits:
        at = start % (len(data) + 1)
        data = data[:at] + insert + data[at + length :]
    return data


edits = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 4), st.binary(max_size=4)), min_size=1, max_size=4)


@given(edits)
def test_spliced_bytes_change_nothing_that_was_signed(changes: list[tuple[int, int, bytes]]) -> None:
    assert_nothing_signed_has_changed(spliced(SMALL, changes), SMALL)
    assert_nothing_signed_has_changed(spliced(REPORT, changes), REPORT)


@given(st.sampled_from(["payload", "payloadType", "signatures", "extra"]), json_values)
@example("payload", "")
@example("signatures", [{"keyid": DSSE_KEY.public.keyid}])
def test_replaced_fields_change_nothing_that_was_signed(field: str, value: Any) -> None:
    document = json.loads(SMALL) | {field: value}
    assert_nothing_signed_has_changed(json.dumps(document).encode(), SMALL)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
@example(b'"\\udfff"')
@example(b"[" * 2000)
@example(b'"' + b"\\" * 2000)
def test_what_strict_json_reads_means_the_same_elsewhere(data: bytes) -> None:
    try:
        found = strict.loads(data, "it")
    except TrustError:
        return
    assert found == json.loads(data)
    assert strict.loads(json.dumps(found).encode(), "it") == found


STATEMENT: dict[str, Any] = json.loads(dsse.read(envelope(failing(), DSSE_KEY)).payload)
DEMANDS = Demands(at=CHECKED_AT, keys=(DSSE_KEY.public,))


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of everything inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """The JSON value with another one at `path`."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


hostile = st.sampled_from([0, -1, 2**53 - 1, "0", "-1", "0.999999999999", "100000000000000000", "", [], {}, None])


@given(st.sampled_from(list(places(STATEMENT))), hostile | json_values)
def test_a_signed_report_with_anything_in_it_is_judged_or_refused(path: tuple[str | int, ...], value: Any) -> None:
    outcome = verify(sealed(json.dumps(replaced(STATEMENT, path, value)).encode(), DSSE_KEY), DEMANDS)
    assert outcome.exit_code in (ExitCode.FAILED, ExitCode.UNTRUSTED)  # what fails is never talked into a release


decimals = st.decimals(min_value=-(10**18), max_value=10**18, places=6)
optional = st.none() | decimals
verdicts = st.builds(
    Verdict,
    target=st.text(),
    budget=st.text(),
    verdict=st.sampled_from(Outcome),
    comparator=st.sampled_from(["<", "<=", ">", ">="]),
    limit=st.text(),
    unit=st.text(),
    reason=st.text(),
    estimate=optional,
    lower=optional,
    upper=optional,
    good=st.text(),
    n=st.none() | st.integers(0, 2**53 - 1),
    evidence=st.none() | st.sampled_from(EvidenceClass),
    waived=st.none() | st.sampled_from(Outcome),
)
waivers = st.builds(
    Waiver, target=st.text(), budget=st.text(), reason=st.text(), approver=st.text(), expires=st.dates()
)


@given(verdicts | waivers)
def test_values_come_back_as_they_were(value: Verdict | Waiver) -> None:
    text = json.dumps(codec.encode(value), allow_nan=False)
    assert codec.decode(type(value), json.loads(text)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_that_is_written_is_read(number: Decimal) -> None:
    try:
        text = codec.encode(number)
    except ValueError:
        return
    assert codec.decode(Decimal, text) == number


fields = json_values | st.just("2026-03-31")
forms = st.fixed_dictionaries(dict.fromkeys(("target", "budget", "reason", "approver", "expires"), fields))


@given(forms | json_values)
def test_decoding_refuses_or_reads_and_never_breaks(value: Any) -> None:
    try:
        found = codec.decode(Waiver, value)
    except codec.CodecError:
        return
    assert codec.encode(found) == value
