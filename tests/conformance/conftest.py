"""What of the suite takes minutes: a second build of everything, and the networks beside the pictures'."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
SLOW = ("words-", "many-", "second_build")
BUILDS_S = 1800
"""The first test of a suite waits for what all of them look at."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(BUILDS_S))
            if any(word in item.name for word in SLOW):
                item.add_marker(pytest.mark.slow)
