"""`deployspec targets`: the formats, what each takes, what is installed and what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from deployspec import registry
from deployspec.build import installed_versions
from deployspec.registry import Family

if TYPE_CHECKING:
    from deployspec.ir.plan import Toolchain


@click.command(
    epilog="""\b
Examples:
  deployspec targets
  deployspec targets --format json
"""
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it.")
def command(form: str) -> None:
    """Tell the formats, what each takes, and what is installed.

    Imports no framework: versions come from the installed distributions' own records.
    """
    found = [describe(name) for name in registry.names(Family.TARGETS)]
    document = {"targets": found, "planned": list(registry.PLANNED[Family.TARGETS])}
    click.echo(json.dumps(document, indent=2) if form == "json" else _text(document))


def describe(name: str) -> dict[str, Any]:
    """One format: its schemes and the sources they start from, its options, its toolchains with versions."""
    plugin = registry.load(Family.TARGETS, name)
    target = plugin()
    lowerings = target.lowerings()
    toolchains = {each.name: each for each in [*(edge.toolchain for edge in lowerings), target.runner().toolchain]}
    versions = {dist: version for each in toolchains.values() for dist, version in installed_versions(each).items()}
    return {
        "format": name,
        "from": sorted({edge.takes for edge in lowerings} - {target.form}),
        "schemes": [edge.realises for edge in lowerings if edge.realises],
        "calibrated": [edge.realises for edge in lowerings if edge.needs],
        "options": list(registry.options(Family.TARGETS, name)),
        "ready": None not in versions.values(),
        "versions": versions,
        "extra": _extra(toolchains),
        "remark": plugin.remark,
    }


def _extra(toolchains: dict[str, Toolchain]) -> str:
    return next((each.extra for each in toolchains.values() if each.extra), "")


def _text(document: dict[str, Any]) -> str:
    blocks = [_block(each) for each in document["targets"]]
    planned = ", ".join(document["planned"])
    return "\n\n".join([*blocks, f"in the language, not in this version: {planned}"] if planned else blocks)


def _block(target: dict[str, Any]) -> str:
    """A paragraph for one format."""
    schemes = [f"{each} (calibrated)" if each in target["calibrated"] else each for each in target["schemes"]]
    missing = [name for name, version in target["versions"].items() if version is None]
    have = ", ".join(f"{name} {version}" for name, version in target["versions"].items() if version)
    lines = {
        "from": ", ".join(target["from"]),
        "quantize": ", ".join(schemes) or "none",
        "options": ", ".join(target["options"]) or "none",
        "installed": have or "nothing",
        "missing": f"{', '.join(missing)}: pip install 'deployspec[{target['extra']}]'" if missing else "",
        "note": target["remark"],
    }
    state = "ready" if target["ready"] else "not installed"
    return "\n".join([f"{target['format']}: {state}", *(f"  {key:<10}{text}" for key, text in lines.items() if text)])
