"""Hostile text: each kind is one located fault, quickly, and never a traceback."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import pytest

from deployspec.errors import SpecFaults
from deployspec.parse.toml import MAX_BYTES, read_bytes, read_tree

FILE = Path("spec.toml")

HOSTILE = {
    "brackets": (b"a = " + b"[" * (MAX_BYTES - 4), "too-deep"),
    "braces": (b"a = " + b"{a=" * 300_000, "too-deep"),
    "dotted key": (b"a." * 500_000 + b"a = 1", "too-deep"),
    "deeper than 64": (b"a." * 65 + b"a = 1", "too-deep"),
    "long integer": (b"a = " + b"9" * 100_000, "bad-number"),
    "huge exponent": (b"a = 1e" + b"9" * 1000, "not-finite"),
    "huge number": (b"a = 1e301", "not-finite"),
    "nan": (b"a = [1.0, nan]", "not-finite"),
    "inf": (b"a = { b = -inf }", "not-finite"),
    "byte-order mark": (b"\xef\xbb\xbfa = 1", "bad-syntax"),
    "not UTF-8": (b"a = '\xff'", "bad-syntax"),
    "UTF-16": ("a = 1".encode("utf-16"), "bad-syntax"),
    "NUL": (b"a = '\0'", "bad-syntax"),
    "lone surrogate": (b'a = "\\ud800"', "bad-syntax"),
    "duplicate key": (b"a = 1\na = 2", "bad-syntax"),
    "a binary file": (bytes(range(256)) * 100, "bad-syntax"),
    "no value": (b"a =", "bad-syntax"),
}


@pytest.mark.parametrize(("data", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_a_fault(data: bytes, code: str) -> None:
    start = time.process_time()
    with pytest.raises(SpecFaults) as caught:
        read_tree(FILE, data)
    assert [each.code for each in caught.value.faults] == [code]
    assert time.process_time() - start < 2


def test_a_number_is_exact() -> None:
    tree = read_tree(FILE, b"a = 0.1\nb = 1_000.5\nc = 7\nd = true")
    assert tree == {"a": Decimal("0.1"), "b": Decimal("1000.5"), "c": 7, "d": True}


def test_every_number_that_is_not_finite_is_told() -> None:
    with pytest.raises(SpecFaults) as caught:
        read_tree(FILE, b"a = nan\n[b]\nc = [1, inf]")
    assert {each.path for each in caught.value.faults} == {("a",), ("b", "c", 1)}


def test_depth_64_is_legal() -> None:
    read_tree(FILE, b"a." * 63 + b"a = 1")


def test_one_mebibyte_is_legal_and_a_byte_more_is_not(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(b"#" * MAX_BYTES)
    assert len(read_bytes(path)) == MAX_BYTES
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(SpecFaults) as caught:
        read_bytes(path)
    assert caught.value.faults[0].code == "too-large"


def test_a_fault_in_the_encoding_has_its_place() -> None:
    with pytest.raises(SpecFaults) as caught:
        read_tree(FILE, "a = 1\nb = 'é".encode() + b"\xff'")
    assert (caught.value.faults[0].line, caught.value.faults[0].column) == (2, 7)
