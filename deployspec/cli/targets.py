"""`deployspec targets`: the formats, what each takes, what is installed and what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from deployspec import registry
from deployspec.build import installed_versions, missing_distributions
from deployspec.registry import Family

if TYPE_CHECKING:
    from deployspec.ir.plan import Toolchain
    from deployspec.registry import Target


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
    plugins = [registry.load(Family.TARGETS, name) for name in registry.names(Family.TARGETS)]
    schemes = {edge.realises for plugin in plugins for edge in plugin().lowerings() if edge.realises}
    found = [describe(plugin, schemes) for plugin in plugins]
    click.echo(json.dumps({"targets": found}, indent=2) if form == "json" else "\n\n".join(map(_block, found)))


def describe(plugin: type[Any], schemes: set[str]) -> dict[str, Any]:
    """One format: its schemes and the sources they start from, its options, its toolchains with versions.

    `schemes` are those that any format takes: of each that this one does not, without options, it says why.
    """
    target = plugin()
    lowerings, toolchains = target.lowerings(), _toolchains(target)
    taken = list(dict.fromkeys(edge.realises for edge in lowerings if edge.realises))
    versions = {dist: version for each in toolchains for dist, version in installed_versions(each).items()}
    missing = {each.extra: missing_distributions(each) for each in toolchains if missing_distributions(each)}
    return {
        "format": plugin.name,
        "from": sorted({form for edge in lowerings for form in edge.takes} - {target.form}),
        "schemes": taken,
        "calibrated": list(dict.fromkeys(edge.realises for edge in lowerings if edge.needs)),
        "notTaken": {name: why for name, why in plugin.reasons.items() if name in schemes.difference(taken)},
        "options": list(registry.options(Family.TARGETS, plugin.name)),
        "ready": not missing,
        "versions": versions,
        "missing": {extra: list(names) for extra, names in missing.items()},
        "remark": plugin.remark,
    }


def _toolchains(target: Target) -> list[Toolchain]:
    """Those that make, read and run the format."""
    runner = target.runner()
    return [
        *(edge.toolchain for edge in target.lowerings()),
        target.inspector().toolchain,
        *([runner.toolchain] if runner else []),
    ]


def _block(target: dict[str, Any]) -> str:
    """A paragraph for one format."""
    schemes = [f"{each} (calibrated)" if each in target["calibrated"] else each for each in target["schemes"]]
    lines = [
        ("from", ", ".join(target["from"])),
        ("quantize", ", ".join(schemes) or "none"),
        *(("", f"not {scheme}: {why}") for scheme, why in target["notTaken"].items()),
        ("options", ", ".join(target["options"]) or "none"),
        ("installed", ", ".join(f"{name} {version}" for name, version in target["versions"].items() if version)),
        *(
            ("missing", f"{', '.join(names)}: pip install 'deployspec[{extra}]'")
            for extra, names in target["missing"].items()
        ),
        ("note", target["remark"]),
    ]
    state = "ready" if target["ready"] else "not all installed"
    return "\n".join([f"{target['format']}: {state}", *(f"  {key:<10}{text}" for key, text in lines if text)])
