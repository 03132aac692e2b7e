"""Plug-ins: found by name, lean to import, and each what the interface promises."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from projects import SPEC, register_harmful_target, write_project

from deployspec import registry
from deployspec.ir.tolerance import TOLERANCES
from deployspec.registry import Family

if TYPE_CHECKING:
    from deployspec.ir.plan import Lowering

ROOT = Path(__file__).parents[2]
TARGETS = registry.names(Family.TARGETS)


def test_the_names_of_this_version() -> None:
    assert set(TARGETS) >= {"tflite", "torchscript"}
    assert set(registry.names(Family.PASSES)) >= {"quantize"}
    assert registry.options(Family.TARGETS, "tflite") == ("layout", "io")


def test_an_unknown_name_finds_nothing() -> None:
    assert registry.find(Family.TARGETS, "tflight") is None
    with pytest.raises(KeyError):
        registry.load(Family.TARGETS, "tflight")


def defines(function: str) -> bool:
    """Whether the module of `module:name` defines it, without importing it."""
    module, _, name = function.partition(":")
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    tree = ast.parse(Path(found.origin).read_bytes())
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_a_frozen_value_with_lowerings_that_lead_to_its_form(name: str) -> None:
    kind = registry.load(Family.TARGETS, name)
    plugin: Any = kind()
    assert kind.name == name
    assert dataclasses.is_dataclass(kind)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plugin.anything = 1
    lowerings = plugin.lowerings()
    assert any(each.gives == plugin.form for each in lowerings)
    edges = [(each.name, form) for each in lowerings for form in each.takes]
    assert len(set(edges)) == len(edges), "of one form, a step's name says which lowering it is"
    assert all(defines(each.function) for each in [*lowerings, plugin.inspector()])
    assert all(0 < each.tolerance <= TOLERANCES.get(each.realises or "", 0.5) for each in lowerings)


def ways(name: str) -> list[Any]:
    """The target as it comes, and once for each choice that one of its options offers."""
    kind = registry.load(Family.TARGETS, name)
    choices = {key: get_args(hint) for key, hint in get_type_hints(kind).items() if get_origin(hint) is Literal}
    return [kind(), *(kind(**{key: value}) for key, values in choices.items() for value in values)]


def _done(edge: Lowering) -> set[str]:
    """What the edge does, in the words of a reason's key."""
    return {edge.realises or "", *edge.takes, *(f"{edge.realises} from {form}" for form in edge.takes)}


@pytest.mark.parametrize("name", TARGETS)
def test_a_reason_explains_what_the_target_does_not_do(name: str) -> None:
    """Whatever the options say: a reason for what is always done would never be shown."""
    every = [{text for edge in way.lowerings() for text in _done(edge)} for way in ways(name)]
    for key, reason in registry.load(Family.TARGETS, name).reasons.items():
        assert not all(key in done for done in every)
        assert reason == reason.strip().rstrip("."), "a clause, which follows a colon"


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_target_needs_can_be_installed(name: str) -> None:
    plugin: Any = registry.load(Family.TARGETS, name)()
    runners = filter(None, (plugin.runner(), plugin.inspector().asks))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for toolchain in [each.toolchain for each in (*plugin.lowerings(), *runners)]:
        assert toolchain.distributions, "a step's key holds their versions"
        assert set(toolchain.extra.split(",")) <= set(extras)


@pytest.mark.parametrize("name", TARGETS)
def test_a_runner_is_a_file_that_can_be_shipped(name: str) -> None:
    plugin: Any = registry.load(Family.TARGETS, name)()
    for runner in filter(None, (plugin.runner(), plugin.inspector().asks)):
        for module in (runner.script, *runner.needs):
            found = importlib.util.find_spec(module)
            assert found is not None
            assert Path(str(found.origin)).suffix == ".py"


FRAMEWORKS = {
    "torch", "torchao", "litert_torch", "ai_edge_litert", "executorch", "coremltools", "tensorflow", "keras", "numpy"
}  # fmt: skip
LOAD_ALL = f"""
import sys
from deployspec import registry
for family in registry.Family:
    for name in registry.names(family):
        registry.load(family, name)
print(sorted({FRAMEWORKS} & set(sys.modules)))
"""


def test_loading_every_plugin_imports_no_framework() -> None:
    ran = subprocess.run([sys.executable, "-c", LOAD_ALL], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_a_plugin_of_another_distribution_is_used_like_our_own(tmp_path: Path) -> None:
    project = write_project(tmp_path, SPEC.replace('"torchscript"', '"harmful"\nharm = "none"'))
    command = [sys.executable, "-m", "deployspec", "plan", str(project.spec)]
    environment = register_harmful_target(tmp_path / "site")
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "server (harmful)\n  harmful.none " in ran.stdout
    alone = subprocess.run(command, capture_output=True, text=True, check=False)
    assert alone.returncode == 2
    assert "unknown format 'harmful'" in alone.stderr


def test_two_distributions_cannot_share_a_name(tmp_path: Path) -> None:
    project = write_project(tmp_path, SPEC.replace('"torchscript"', '"harmful"\nharm = "none"'))
    environment = register_harmful_target(tmp_path / "site")
    second = tmp_path / "site" / "rival-1.dist-info"
    second.mkdir()
    (second / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1\n")
    (second / "entry_points.txt").write_text("[deployspec.targets]\nharmful = rival:Target\n")
    command = [sys.executable, "-m", "deployspec", "plan", str(project.spec)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: two plug-ins are called 'harmful' (")
    assert ran.stderr.endswith("): uninstall one of them\n")


OLDER = """
from dataclasses import dataclass
from typing import ClassVar

from harmful_target import Harmful


@dataclass(frozen=True, kw_only=True)
class Older:
    name: ClassVar[str] = "older"
    form: ClassVar[str] = "acme.older"

    def lowerings(self):
        return tuple(type(each)(**(vars(each) | {"gives": self.form})) for each in Harmful().lowerings())

    def runner(self):
        return None

    def inspector(self):
        return Harmful().inspector()
"""


@pytest.fixture
def beside(tmp_path: Path) -> dict[str, str]:
    """An environment with a plug-in that states no more than it must, and one whose module is not there."""
    environment = register_harmful_target(tmp_path / "site")
    (tmp_path / "site" / "older_target.py").write_text(OLDER)
    entries = tmp_path / "site" / "harmful_target-1.dist-info" / "entry_points.txt"
    entries.write_text("[deployspec.targets]\nolder = older_target:Older\nbroken = nosuchmodule:X\n")
    return environment


def deployspec(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deployspec", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


WHY = "No module named 'nosuchmodule'"
BROKEN = f"the plug-in 'broken' (nosuchmodule:X) cannot be loaded: {WHY}; uninstall or repair it"


@pytest.mark.parametrize("command", [("targets",), ("targets", "--format", "json"), ("schema",)], ids=" ".join)
def test_a_list_of_all_formats_leaves_out_a_broken_one_and_says_so(
    beside: dict[str, str], command: tuple[str, ...]
) -> None:
    ran = deployspec(beside, *command)
    assert (ran.returncode, ran.stderr) == (0, f"left out: {BROKEN}\n")
    assert "older" in ran.stdout
    assert "broken" not in ran.stdout


def test_a_file_s_format_is_found_beside_a_broken_plug_in(beside: dict[str, str], tmp_path: Path) -> None:
    model = tmp_path / "model.unknown"
    model.write_bytes(b"")
    ran = deployspec(beside, "inspect", str(model))
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"left out: {BROKEN}\nerror: 'model.unknown' is none of ")


def test_a_spec_that_names_a_broken_plug_in_is_told_why(beside: dict[str, str], tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", SPEC.replace('"torchscript"', '"broken"'))
    ran = deployspec(beside, "plan", str(project.spec))
    assert (ran.returncode, ran.stderr) == (2, f"error: {BROKEN}\n")


def test_a_target_of_another_distribution_goes_by_its_format(beside: dict[str, str], tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", SPEC.replace('"torchscript"', '"older"'))
    ran = deployspec(beside, "plan", str(project.spec))
    assert "server (older)\n" in ran.stdout, ran.stderr
    assert "nothing here executes older: " in ran.stdout
