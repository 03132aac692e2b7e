"""Keys in hardware, where there is none; with SoftHSM they are tested in tests/interop."""

from __future__ import annotations

import sys

import pytest

from deployspec.errors import UsageError
from deployspec.trust import hardware


def test_an_absent_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(UsageError, match=r"pip install 'deployspec\[hsm\]'"):
        hardware.load("hsm:", "1234")
