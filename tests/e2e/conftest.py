"""A real check of the digits, made once for every test that wants to look at it."""

from __future__ import annotations

import pytest
from programs import Checked, deployspec


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    folder = tmp_path_factory.mktemp("digits")
    made = deployspec("keygen", "--out", str(folder / "release"))
    assert made.code == 0, made.said
    checked = Checked(folder, made).check("out", "--key", str(folder / "release.pem"))
    return Checked(folder, checked)
