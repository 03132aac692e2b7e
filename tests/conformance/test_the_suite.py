"""The suite for targets can fail: a careless target keeps the contract, and each promise that it breaks is found."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from projects import register_harmful_target

SUITE = """
from deployspec.testing import TargetConformance
from deployspec.testing.project import PICTURES, Case

class TestCareless(TargetConformance):
    targets = ("careless",)
    nets = (PICTURES,)
    variants = tuple(
        Case(name=about, format="careless", options=f'about = "{about}"')
        for about in ("place", "time", "answers", "weights", "counting")
    )
"""

BROKEN = {
    "careless-int8": {"test_quantized_it_is_smaller"},
    "place": {"test_it_does_not_tell_of_the_machine_that_made_it"},
    "time": {"test_a_second_build_elsewhere_gives_the_same_bytes"},
    "answers": {"test_it_is_held_to_the_answers_of_the_source"},
    "weights": {"test_its_answers_are_the_sources_within_the_schemes_tolerance"},
    "counting": {"test_its_structure_is_the_networks"},
}
"""For each case what fails of it, and nothing else."""


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    folder = tmp_path_factory.mktemp("careless")
    (folder / "test_careless.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-c", "/dev/null", str(folder)]
    environment = register_harmful_target(folder / "site")
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    found: dict[str, set[str]] = {}
    for test, case in re.findall(r"^FAILED .*::(\w+)\[pictures-([\w-]+)\]", ran.stdout, re.MULTILINE):
        found.setdefault(case, set()).add(test)
    assert found, ran.stdout + ran.stderr
    return found


@pytest.mark.parametrize("case", [*BROKEN, "careless-float32"])
def test_a_broken_promise_is_found_and_no_other(failed: dict[str, set[str]], case: str) -> None:
    assert failed.get(case, set()) == BROKEN.get(case, set())
