"""What every test may use."""

from __future__ import annotations

import os

import pytest

os.environ.pop("COLUMNS", None)  # a test runner's idea of a terminal; what the program prints to a pipe has its own


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the expected output of golden cases")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
