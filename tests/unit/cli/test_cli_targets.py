"""`deployspec targets`: what each format takes, what it does not and why, what is installed and what is missing."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from deployspec.cli import group
from deployspec.cli.targets import describe
from deployspec.ir.plan import Inspector, Lowering, Runner, Toolchain


def told() -> dict[str, dict[str, Any]]:
    outcome = CliRunner().invoke(group, ["targets", "--format", "json"])
    assert outcome.exit_code == 0
    return {each["format"]: each for each in json.loads(outcome.stdout)["targets"]}


def test_every_scheme_of_any_format_is_taken_or_has_its_reason() -> None:
    formats = told()
    schemes = {scheme for each in formats.values() for scheme in each["schemes"]}
    assert {"int8", "int8-dynamic", "float16", "palette-4"} <= schemes
    for each in formats.values():
        assert {*each["schemes"], *each["notTaken"]} >= schemes
        assert all(each["notTaken"].values())


def test_text_tells_a_paragraph_for_each_format() -> None:
    outcome = CliRunner().invoke(group, ["targets"])
    blocks = outcome.stdout.strip().split("\n\n")
    assert [block.partition(":")[0] for block in blocks] == sorted(told())
    (coreml,) = (block for block in blocks if block.startswith("coreml"))
    assert "not int8-dynamic: Core ML has no operators that quantize activations anew at each call" in coreml


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
