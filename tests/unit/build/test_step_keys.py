"""Keys: what changes one, what does not, and which code is part of it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deployspec.build import keys
from deployspec.build.keys import (
    code_sha256,
    differences,
    installed_versions,
    key_ingredients,
    missing_distributions,
    toolchain_versions,
)
from deployspec.errors import UsageError
from deployspec.ir.plan import Action, Step, Toolchain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEP = Step(
    id="tflite.int8",
    action=Action.CONVERT,
    takes=(("model", "model"),),
    gives="tflite",
    function="deployspec.targets.tflite:lower",
    toolchain=Toolchain(name="plain"),
    options={"scheme": "int8"},
    targets=("phone",),
)
GIVEN: dict[str, Any] = {
    "inputs": {"model": "0" * 64},
    "versions": {"torch": "2.13.0"},
    "code_sha256": "1" * 64,
    "model": {"name": "m"},
    "seed": 0,
}


def step_key(step: Step, **given: Any) -> str:
    return keys.step_key(key_ingredients(step, **given))


def test_a_key_is_the_same_everywhere() -> None:
    assert step_key(STEP, **GIVEN) == "5ff364c94e5ea50c4b4e2e3bf265d94ae2370257136514a6f8c046c383f68a9d"


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": {"model": "2" * 64}},
        {"inputs": {"source": "0" * 64}},
        {"versions": {"torch": "2.13.1"}},
        {"code_sha256": "2" * 64},
        {"model": {"name": "n"}},
        {"seed": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_all_that_an_output_may_depend_on_is_in_its_key(change: dict[str, Any]) -> None:
    assert step_key(STEP, **GIVEN | change) != step_key(STEP, **GIVEN)


@pytest.mark.parametrize(
    "change", [{"function": "deployspec.targets.tflite:lower_int8"}, {"options": {"scheme": "float16"}}]
)
def test_the_function_and_its_options_are_in_the_key(change: dict[str, Any]) -> None:
    assert step_key(replace(STEP, **change), **GIVEN) != step_key(STEP, **GIVEN)


@pytest.mark.parametrize("change", [{"id": "x"}, {"targets": ("a", "b")}, {"cost_s": 9.0}, {"time_limit_s": 9}])
def test_names_and_limits_are_not_in_the_key(change: dict[str, Any]) -> None:
    assert step_key(replace(STEP, **change), **GIVEN) == step_key(STEP, **GIVEN)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ()),
        ({"code_sha256": "2" * 64}, ("its code changed",)),
        ({"inputs": {"model": "2" * 64}}, ("its input 'model' changed",)),
        ({"inputs": {"model": None}}, ("its input 'model' is made anew",)),
        ({"versions": {"torch": "2.13.1"}}, ("torch 2.13.0 → 2.13.1",)),
        ({"versions": {"numpy": "2.1"}}, ("numpy none → 2.1", "torch 2.13.0 → none")),
        ({"model": {"name": "m", "framework": "keras"}}, ("model.framework changed",)),
        ({"seed": 1, "code_sha256": "2" * 64}, ("its code changed", "seed 0 → 1")),
    ],
    ids=lambda value: None if isinstance(value, dict) else "; ".join(value) or "nothing",
)
def test_what_changed_is_said_by_its_name(change: dict[str, Any], said: tuple[str, ...]) -> None:
    was, now = key_ingredients(STEP, **GIVEN), key_ingredients(STEP, **GIVEN | change)
    assert differences(STEP, json.loads(json.dumps(was)), now) == said


def test_a_change_of_the_function_is_one_of_the_code_and_each_option_is_named() -> None:
    other = replace(STEP, function="deployspec.targets.tflite:quantize", options={"scheme": "float16", "bits": (4, 8)})
    was, now = key_ingredients(STEP, **GIVEN), key_ingredients(other, **GIVEN)
    assert differences(other, was, now) == (
        "its code changed", "its option 'bits' changed", "its option 'scheme' changed",
    )  # fmt: skip
    assert differences(other, json.loads(json.dumps(now)), now) == (), "as JSON keeps it"


def test_versions_are_of_the_toolchain_and_the_machine() -> None:
    tools = Toolchain(name="data", distributions=("numpy",))
    assert set(toolchain_versions(tools)) == {"python", "platform", "numpy"}
    assert installed_versions(tools)["numpy"] == toolchain_versions(tools)["numpy"]


def test_missing_distributions_are_named_with_their_extra() -> None:
    tools = Toolchain(name="odd", distributions=("numpy", "no-such-thing", "nor-this"), extra="odd")
    assert missing_distributions(tools) == ("no-such-thing", "nor-this")
    with pytest.raises(UsageError, match=r"no-such-thing, nor-this: pip install 'deployspec\[odd\]'"):
        toolchain_versions(tools)


def test_missing_distributions_without_an_extra_are_installed_by_their_names() -> None:
    tools = Toolchain(name="odd", distributions=("no-such-thing", "nor-this"))
    with pytest.raises(UsageError, match=r"no-such-thing, nor-this: pip install no-such-thing nor-this$"):
        toolchain_versions(tools)


def test_a_distribution_of_two_names_is_the_one_that_is_there() -> None:
    either = Toolchain(name="either", distributions=("no-such-thing|numpy",))
    assert installed_versions(either) == installed_versions(Toolchain(name="one", distributions=("numpy",)))
    assert missing_distributions(either) == ()
    neither = Toolchain(name="neither", distributions=("no-such-thing|nor-this",))
    assert missing_distributions(neither) == ("no-such-thing",)


PACKAGE = {
    "__init__.py": "",
    "steps.py": "import json\nfrom acme_steps import helper\n\ndef convert(job):\n    from .deep import inner\n",
    "helper.py": "from acme_steps.deep.inner import x\n",
    "deep/__init__.py": "from . import sibling\n",
    "deep/inner.py": "x = 1\n",
    "deep/sibling.py": "y = 1\n",
    "runner.py": "print(1)\n",
    "other.py": "z = 1\n",
}


class Package:
    """A package on the path, whose files can be changed and read anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        path = self.folder / "acme_steps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def sha256(self, **options: Any) -> str:
        for cached in (keys._reached, keys._imported, keys._module_file, keys._file_sha256):
            cached.cache_clear()
        return code_sha256(replace(STEP, function="acme_steps.steps:convert", options=options))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = Package(tmp_path)
    for name, text in PACKAGE.items():
        package.write(name, text)
    yield package
    assert not [name for name in sys.modules if name.startswith("acme_steps")], "reading code imports none of it"


@pytest.mark.parametrize("name", ["steps.py", "helper.py", "deep/inner.py", "deep/sibling.py", "deep/__init__.py"])
def test_code_that_a_step_reaches_is_in_its_digest(package: Package, name: str) -> None:
    before = package.sha256()
    package.write(name, PACKAGE[name] + "# changed\n")
    assert package.sha256() != before


def test_code_that_a_step_does_not_reach_is_not(package: Package) -> None:
    before = package.sha256()
    package.write("other.py", "z = 2\n")
    package.write("runner.py", "print(2)\n")
    assert package.sha256() == before


TYPED = """
import typing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acme_steps import other
if typing.TYPE_CHECKING:
    def needed():
        import acme_steps.other
"""


def test_code_that_is_imported_for_its_types_alone_is_not(package: Package) -> None:
    package.write("helper.py", TYPED)
    before = package.sha256()
    package.write("other.py", "z = 2\n")
    assert package.sha256() == before


@pytest.mark.parametrize(
    "imports",
    [
        "if TYPE_CHECKING:\n    pass\nelse:\n    from . import other",
        "if TYPE_CHECKING:\n    pass\nelif 1:\n    from . import other",
        "if TYPE_CHECKING or __package__:\n    from . import other",
        "if not TYPE_CHECKING:\n    from . import other",
        "def late():\n    if True:\n        from . import other",
    ],
)
def test_code_that_is_imported_when_it_runs_is_however_it_is_asked_for(package: Package, imports: str) -> None:
    package.write("helper.py", f"from typing import TYPE_CHECKING\n{imports}\n")
    before = package.sha256()
    package.write("other.py", "z = 2\n")
    assert package.sha256() != before


@pytest.mark.parametrize("name", ["runner.py", "other.py"])
def test_a_runner_that_the_options_name_is_in_the_digest_and_what_lies_beside_it(package: Package, name: str) -> None:
    options = {"runner": {"script": "acme_steps.runner", "needs": ["acme_steps.other"]}, "weights": "models.no_such"}
    before = package.sha256(**options)
    package.write(name, "print(2)\n")
    assert package.sha256(**options) != before


def test_a_module_without_a_file_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="'no_such_module', which has no source file"):
        code_sha256(replace(STEP, function="no_such_module:f"))


def test_the_code_of_the_project_is_found_without_a_framework() -> None:
    before = set(sys.modules)
    assert len(code_sha256(STEP)) == 64
    assert "torch" not in set(sys.modules) - before
