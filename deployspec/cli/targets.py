"""`deployspec targets`: the formats and the passes, what each takes, what is installed and what is missing."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import TYPE_CHECKING, Any, Final

import click

from deployspec import registry
from deployspec.build import installed_versions, missing_distributions
from deployspec.cli.options import format_option, say_left_out
from deployspec.ir.plan import SOURCE_FORMS, pip_install
from deployspec.registry import Family
from deployspec.routes import NoRoute, find_route

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from deployspec.ir.plan import Form, Toolchain
    from deployspec.registry import Pass, Target

_WIDTH: Final = 120
"""Of the lines, where no terminal has its own."""

_MARGIN: Final = 12
"""Where text starts, after the label."""


@click.command(
    epilog="""\b
Examples:
  deployspec targets
  deployspec targets --format json
"""
)
@format_option("text", "json")
def command(form: str) -> None:
    """List formats and passes, their options, and what is installed.

    Imports no framework: versions come from the installed distributions' own records.
    """
    say_left_out(*Family)
    targets = list(registry.sound(Family.TARGETS).values())
    made = [way for plugin in targets for _, way in registry.ways(plugin)]
    schemes = list(dict.fromkeys(edge.realises for way in made for edge in way.lowerings() if edge.realises))
    formats = [describe(plugin, schemes) for plugin in targets]
    passes = [describe_pass(plugin, schemes, targets) for plugin in registry.sound(Family.PASSES).values()]
    if form == "json":
        click.echo(json.dumps({"targets": formats, "passes": passes}, indent=2))
    else:
        width = shutil.get_terminal_size((_WIDTH, 24)).columns
        blocks = (*map(_target_lines, formats), *(_pass_lines(each, len(formats)) for each in passes))
        click.echo("\n\n".join("\n".join(_wrapped(lines, width)) for lines in blocks))


def describe(plugin: type[Any], schemes: Collection[str]) -> dict[str, Any]:
    """One format: its schemes and the sources they start from, its options, its toolchains with versions.

    `schemes` are those that any format takes: of each that this one does not, without options, it says why.
    """
    target = plugin()
    lowerings = target.lowerings()
    taken = list(dict.fromkeys(edge.realises for edge in lowerings if edge.realises))
    return {
        "format": plugin.name,
        "from": sorted({form for edge in lowerings for form in edge.takes} - {target.form}),
        "schemes": taken,
        "calibrated": list(dict.fromkeys(edge.realises for edge in lowerings if edge.needs)),
        "notTaken": {name: why for name, why in plugin.reasons.items() if name in set(schemes).difference(taken)},
        "options": list(registry.options(Family.TARGETS, plugin.name)),
        **_installed(_toolchains(target)),
        "remark": plugin.remark,
    }


def describe_pass(plugin: type[Pass], schemes: Collection[str], targets: Sequence[type[Any]]) -> dict[str, Any]:
    """One pass: what it does, its options, and each way of using it with the formats that go with it.

    A way's `options` are those that tell it from the others. A pass without steps of its own, such as a quantization,
    needs what its formats need.
    """
    ways = plugin.ways(schemes)
    names = registry.options(Family.PASSES, plugin.name)
    telling = [name for name in names if len({getattr(way, name) for way in ways}) > 1]
    return {
        "pass": plugin.name,
        "does": plugin.summary,
        "options": list(names),
        "ways": [{"options": {name: getattr(way, name) for name in telling}} | _goes(way, targets) for way in ways],
        **_installed([edge.toolchain for way in ways for edge in way.lowerings()]),
    }


def _goes(way: Pass, targets: Sequence[type[Any]]) -> dict[str, Any]:
    """The formats that some source leads to, and those from each form that the pass itself takes.

    `asks` has the option of each format that goes with the pass only so.
    """
    formats = dict(_formats(way, targets, tuple(dict.fromkeys(SOURCE_FORMS.values()))))
    takes = sorted({form for edge in way.lowerings() for form in edge.takes})
    return {
        "from": {form: list(dict(_formats(way, targets, (form,)))) for form in takes},
        "formats": list(formats),
        "asks": {name: asked for name, asked in formats.items() if asked},
    }


def _formats(way: Pass, targets: Iterable[type[Any]], sources: Sequence[Form]) -> Iterator[tuple[str, str]]:
    """The formats that one of the sources leads to through the pass, each with the option that it takes for that."""
    for plugin in targets:
        asked = next((asked for asked, target in registry.ways(plugin) if _leads(way, target, sources)), None)
        if asked is not None:
            yield plugin.name, asked


def _leads(way: Pass, target: Target, sources: Sequence[Form]) -> bool:
    edges = (*target.lowerings(), *way.lowerings())
    for source in sources:
        try:
            find_route(source, target.form, [way.wanted()], edges)
        except NoRoute:
            continue
        return True
    return False


def _toolchains(target: Target) -> list[Toolchain]:
    """Those that make, read and run the format."""
    runner = target.runner()
    return [
        *(edge.toolchain for edge in target.lowerings()),
        target.inspector().toolchain,
        *([runner.toolchain] if runner else []),
    ]


def _installed(toolchains: Iterable[Toolchain]) -> dict[str, Any]:
    """Whether all is there, in which version, and by extra what is missing."""
    versions: dict[str, str | None] = {}
    missing: dict[str, list[str]] = {}
    for each in toolchains:
        versions |= installed_versions(each)
        if lacking := missing_distributions(each):
            missing[each.extra] = list(dict.fromkeys([*missing.get(each.extra, ()), *lacking]))
    return {"ready": not missing, "versions": versions, "missing": missing}


Line = tuple[str, str]
"""What a line is about, empty where it goes on with that of the line before, and its text."""


def _target_lines(target: dict[str, Any]) -> Iterator[Line]:
    """A paragraph for one format."""
    schemes = [f"{each} (calibrated)" if each in target["calibrated"] else each for each in target["schemes"]]
    yield f"{target['format']}: {_state(target)}", ""
    yield "from", ", ".join(target["from"])
    yield "quantize", ", ".join(schemes) or "none"
    yield from (("", f"not {scheme}: {why}") for scheme, why in target["notTaken"].items())
    yield "options", ", ".join(target["options"]) or "none"
    yield from _installed_lines(target)
    yield "note", target["remark"]


def _pass_lines(document: dict[str, Any], formats: int) -> Iterator[Line]:
    """A paragraph for one pass, where there are so many formats."""
    yield f"pass {document['pass']}: {_state(document)}", ""
    yield "does", document["does"]
    yield "options", ", ".join(document["options"]) or "none"
    subject = "ways"
    for way in document["ways"]:
        yield subject, _way(way, formats)
        subject = ""
    yield from _installed_lines(document)


def _way(way: dict[str, Any], formats: int) -> str:
    name = ", ".join(map(str, way["options"].values()))
    goes = [f"from {form} for {_named(found, way, formats)}" for form, found in way["from"].items()]
    return f"{name}{': ' if name else ''}" + ("; ".join(goes) or f"for {_named(way['formats'], way, formats)}")


def _named(found: Sequence[str], way: dict[str, Any], formats: int) -> str:
    """The formats, each with the option that it asks for."""
    if len(found) == formats and not way["asks"]:
        return "every format"
    return ", ".join(f"{each} ({way['asks'][each]})" if each in way["asks"] else each for each in found) or "no format"


def _state(document: dict[str, Any]) -> str:
    return "ready" if document["ready"] else "not all installed"


def _installed_lines(document: dict[str, Any]) -> Iterator[Line]:
    yield "installed", ", ".join(f"{name} {version}" for name, version in document["versions"].items() if version)
    for extra, names in document["missing"].items():
        yield "missing", ", ".join(names) + f": {pip_install(extra, names)}"


def _wrapped(lines: Iterable[Line], width: int) -> Iterator[str]:
    """The head, then every line that has a text, within the width wherever words can be broken."""
    (head, _), *rest = lines
    yield head
    for subject, text in rest:
        if text:
            first = f"  {subject:<{_MARGIN - 2}}"
            further = " " * (_MARGIN if subject else _MARGIN + 2)
            yield textwrap.fill(
                text, width, initial_indent=first, subsequent_indent=further, break_long_words=False,
                break_on_hyphens=False,
            )  # fmt: skip
