"""Strict JSON: one meaning for every reader, or a refusal, and never a crash."""

from __future__ import annotations

import pytest

from deployspec.errors import TrustError
from deployspec.trust import strict


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, "2", true, null, -3]}', {"a": [1, "2", True, None, -3]}),
        (b'"[[[ { \\" ["', '[[[ { " ['),
        ('"é \\ud83d\\ude00"'.encode(), "é \U0001f600"),
        (b"9007199254740991", 2**53 - 1),
        (b"[" * 64 + b"]" * 64, None),
    ],
)
def test_strict_json_is_read(data: bytes, value: object) -> None:
    found = strict.loads(data, "it")
    assert value is None or found == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1, "a": 1}', "the key 'a' stands twice"),
        (b'{"b": {"a": 1, "\\u0061": 2}}', "the key 'a' stands twice"),
        (b"NaN", "the number NaN"),
        (b"-Infinity", "the number -Infinity"),
        (b"1e400", "the number 1e400"),
        (b"1.0", "the number 1.0"),
        (b"1E2", "the number 1E2"),
        (b"9007199254740992", "2\\^53 - 1"),
        (b"-" + b"9" * 100_000, "2\\^53 - 1"),
        (b'"\\ud800"', "surrogates not allowed"),
        (b'{"\\udc00": 1}', "surrogates not allowed"),
        (b'"\xff"', "not strict JSON"),
        (b'\xef\xbb\xbf"x"', "BOM"),
        (b'"a\nb"', "not strict JSON"),
        (b"", "not strict JSON"),
        (b"{} {}", "not strict JSON"),
        (b"{'a': 1}", "not strict JSON"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b"[" * 100_000 + b"]" * 100_000, "deeper than 64"),
        (b"[" * 100_000, "deeper than 64"),
        (b'{"a":' * 100_000, "deeper than 64"),
        (b'"\\"' + b"[" * 100_000, "deeper than 64"),
        (b"[" + b'"]",' * 70 + b"[" * 64 + b"]" * 65, "deeper than 64"),
    ],
)
def test_anything_else_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(TrustError, match=message):
        strict.loads(data, "it")


def test_the_size_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict, "MAX_BYTES", 10)
    assert strict.loads(b'"12345678"', "it") == "12345678"
    with pytest.raises(TrustError, match="11 bytes"):
        strict.loads(b'"123456789"', "it")
