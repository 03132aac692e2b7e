"""`deployspec targets`: what each format takes, what it does not and why, what each pass does and goes with, what is
installed and what is missing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from click.testing import CliRunner

from deployspec.cli import group
from deployspec.cli.targets import describe, describe_pass
from deployspec.ir.plan import TORCH_MODULE, Inspector, Lowering, Runner, Toolchain
from deployspec.passes.quantize import Quantize

if TYPE_CHECKING:
    from collections.abc import Iterable


def document() -> dict[str, Any]:
    outcome = CliRunner().invoke(group, ["targets", "--format", "json"])
    assert outcome.exit_code == 0
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def told() -> dict[str, dict[str, Any]]:
    return {each["format"]: each for each in document()["targets"]}


def told_passes() -> dict[str, dict[str, Any]]:
    return {each["pass"]: each for each in document()["passes"]}


def shown(columns: int) -> list[str]:
    """The paragraphs of the text, in so wide a terminal."""
    outcome = CliRunner().invoke(group, ["targets"], env={"COLUMNS": str(columns)})
    assert outcome.exit_code == 0
    return outcome.stdout.strip().split("\n\n")


def test_every_scheme_of_any_format_is_taken_or_has_its_reason() -> None:
    formats = told()
    schemes = {scheme for each in formats.values() for scheme in each["schemes"]}
    assert {"int8", "int8-dynamic", "float16", "palette-4"} <= schemes
    for each in formats.values():
        assert {*each["schemes"], *each["notTaken"]} >= schemes
        assert all(each["notTaken"].values())


def test_text_tells_a_paragraph_for_each_format_then_for_each_pass() -> None:
    blocks = shown(120)
    names = [*sorted(told()), *(f"pass {name}" for name in sorted(told_passes()))]
    assert [block.partition(":")[0] for block in blocks] == names
    (coreml,) = (block for block in blocks if block.startswith("coreml"))
    assert "not int8-dynamic: Core ML has no operators that quantize activations anew at each call" in coreml


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_text_keeps_to_the_terminal_and_says_the_same_in_each(columns: int) -> None:
    blocks = shown(columns)
    assert max(len(line) for block in blocks for line in block.splitlines()) <= columns
    assert [block.split() for block in blocks] == [block.split() for block in shown(1000)]


def test_a_pass_is_told_of_with_the_formats_that_go_with_each_way_of_using_it() -> None:
    prune, quantize = (told_passes()[name] for name in ("prune", "quantize"))
    assert (prune["options"], quantize["options"]) == (["method", "sparsity", "finetune"], ["scheme", "tolerance"])
    magnitude, structured = prune["ways"]
    assert (magnitude["options"], structured["options"]) == ({"method": "magnitude"}, {"method": "structured"})
    assert magnitude["from"].keys() == {"keras.Model", TORCH_MODULE}
    assert set(magnitude["from"]["keras.Model"]) < set(magnitude["from"][TORCH_MODULE]) == set(told())
    assert structured["from"].keys() == {TORCH_MODULE}
    assert "torch-pruning" in prune["versions"]
    assert not quantize["versions"], "it is done as the format is made"


def test_a_scheme_goes_with_the_formats_that_take_it_and_says_where_an_option_is_asked_for() -> None:
    ways = {way["options"]["scheme"]: way for way in told_passes()["quantize"]["ways"]}
    for scheme, way in ways.items():
        taken = {name for name, each in told().items() if scheme in each["schemes"]}
        assert set(way["formats"]) - way["asks"].keys() == taken
        assert all(scheme in told()[name]["notTaken"] for name in way["asks"])
    assert ways["int8"]["asks"] == {"coreml": 'minimum = "iOS17"'}
    (quantize,) = (block for block in shown(120) if block.startswith("pass quantize"))
    assert 'int8: for coreml (minimum = "iOS17"), executorch' in quantize


class Strange:
    """A format whose toolchain nobody has."""

    name, form, remark, reasons = "tflite", "strange", "", {"int8": "it is strange", "int9": "nobody has it"}

    def lowerings(self) -> tuple[Lowering, ...]:
        away = Toolchain(name="away", distributions=("no-such-thing", "numpy"), extra="away")
        there = Toolchain(name="there", distributions=("numpy",), extra="there")
        edge = Lowering(
            name="x", takes=("a", "strange"), gives="strange", function="m:f", toolchain=away, tolerance=0.1
        )
        return (edge, Lowering(**(vars(edge) | {"name": "y", "toolchain": there, "realises": "float16"})))

    def runner(self) -> Runner | None:
        return None

    def inspector(self) -> Inspector:
        return Inspector(function="m:f", toolchain=Toolchain(name="structure"))


def test_what_is_missing_is_named_with_the_extra_that_brings_it() -> None:
    found = describe(Strange, {"int8", "float16"})
    assert found["ready"] is False
    assert found["missing"] == {"away": ["no-such-thing"]}
    assert found["versions"].keys() == {"no-such-thing", "numpy"}
    assert (found["from"], found["schemes"], found["notTaken"]) == (["a"], ["float16"], {"int8": "it is strange"})


AWAY = Toolchain(name="away", distributions=("no-such-thing", "numpy"), extra="away")


class Shrink:
    """A pass whose toolchains nobody has, and that no format here can follow."""

    name: ClassVar[str] = "quantize"
    summary: ClassVar[str] = "makes it smaller"
    remark, reasons, tolerance, scheme = "", dict[str, str](), None, "any"

    @classmethod
    def ways(cls, schemes: Iterable[str]) -> tuple[Shrink, ...]:
        return (cls(),)

    def wanted(self) -> str:
        return "shrink"

    def lowerings(self) -> tuple[Lowering, ...]:
        further = Toolchain(name="further", distributions=("nor-such",), extra="away")
        edge = Lowering(
            name="x", takes=("a",), gives="b", function="m:f", toolchain=AWAY, tolerance=0.1, realises="shrink"
        )
        return (edge, Lowering(**(vars(edge) | {"name": "y", "toolchain": further})))


def test_what_a_pass_lacks_is_named_once_for_each_extra() -> None:
    found = describe_pass(Shrink, (), [])
    assert (found["does"], found["ready"]) == ("makes it smaller", False)
    assert found["missing"] == {"away": ["no-such-thing", "nor-such"]}
    assert found["ways"] == [{"options": {}, "from": {"a": []}, "formats": [], "asks": {}}]


def test_a_scheme_that_no_format_takes_goes_with_none() -> None:
    (way,) = describe_pass(Quantize, ["int9"], [Strange])["ways"]
    assert (way["from"], way["formats"]) == ({}, [])
