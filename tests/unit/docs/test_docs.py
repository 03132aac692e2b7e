"""The documentation says what the program does: its tables, commands, specs and links are held against the code."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import click
import pytest

from deployspec.cli import group
from deployspec.errors import ExitCode
from deployspec.parse import parse_spec

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/README.md")]
)
VECTOR = ROOT / "tests" / "vectors" / "passed"


def blocks(page: Path, language: str) -> list[str]:
    """The page's fenced blocks of one language, also those inside a list, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return ["".join(line.removeprefix(indent) for line in text.splitlines(keepends=True)) for indent, text in found]


def commands(page: Path) -> list[str]:
    """What stands behind a prompt in the page's console blocks."""
    return [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]


def deployspec_arguments(command: str) -> list[str] | None:
    """The arguments of a `deployspec` command line up to the next shell operator, None for other commands."""
    known = re.sub(r'"\$\(sha256sum [^)]*\)"', "0" * 64, command)
    words = shlex.split(re.split(r"[;|>#]|&&", known)[0]) if command.startswith("deployspec ") else []
    return words[1:] if words else None


COMMANDS = [
    pytest.param(arguments, id=f"{page.stem}: {command}")
    for page in PAGES
    for command in commands(page)
    if (arguments := deployspec_arguments(command)) is not None
]

WHOLE = {
    f"{page.relative_to(ROOT)}-{number}": text
    for page in PAGES
    for number, text in enumerate(blocks(page, "toml"))
    if re.search(r"^deployspec\s*=", text, re.MULTILINE)
}
"""Every toml block that is a whole file: a spec, or a policy where it has no model."""


def test_what_is_generated_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_there_are_commands_and_specs() -> None:
    assert len(COMMANDS) >= 15
    assert len(WHOLE) >= 3


@pytest.mark.parametrize("arguments", COMMANDS)
def test_every_command_that_is_shown_has_options_that_exist(arguments: list[str]) -> None:
    name, *rest = arguments
    command = group.get_command(click.Context(group), name)
    assert command is not None
    command.make_context(name, rest)


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
def test_every_spec_that_is_shown_is_valid(text: str, tmp_path: Path) -> None:
    project = shutil.copytree(ROOT / "examples" / "digits", tmp_path / "project")
    if "[model]" not in text:
        (project / "policy.toml").write_text(text)
        policies = '[policy]\nextends = ["policy.toml"]\n'
        text = next(spec for name, spec in WHOLE.items() if name.startswith("README.md")) + policies
    (project / "spec.toml").write_text(text)
    assert parse_spec(project / "spec.toml").targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("https://")]
    dead = [link for link in links if not leads_somewhere(page, link)]
    assert dead == []


def leads_somewhere(page: Path, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_house_has_the_rooms_that_the_architecture_names() -> None:
    named = re.findall(
        r"`((?:deployspec|docs|tests|benches)/[\w./]+)`", (ROOT / "docs" / "architecture.md").read_text()
    )
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "spec.md"], ids=lambda page: page.name)
def test_exit_codes_are_those_of_the_program(page: Path) -> None:
    told = {int(code) for code in re.findall(r"^ *\| (\d+) \|", page.read_text(), re.MULTILINE)}
    assert told <= {int(code) for code in ExitCode}
    assert told >= {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs" / "report.svg"], ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_machine(page: Path) -> None:
    strangers = re.findall(r"(?<![\w./:<>-])/[a-zA-Z]+/\S*|localhost|pypi\.org|pythonhosted|npmjs", page.read_text())
    assert strangers == []


def by_hand(folder: Path, envelope: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Type the reference's commands beside a report; what happened, and what the reference says is printed."""
    (folder / "report.dsse.json").write_text(envelope)
    shutil.copy(VECTOR / "key.pub.pem", folder / "release.pub.pem")
    script = next(block for block in blocks(ROOT / "docs" / "trust.md", "console") if "dgst" in block).splitlines()
    typed = "\n".join(line[2:] for line in script if line.startswith("$ "))
    printed = "\n".join(line for line in script if not line.startswith("$ "))
    ran = subprocess.run(["sh", "-eu", "-c", typed], cwd=folder, capture_output=True, text=True, check=False)
    return ran, printed


def test_a_signature_is_verified_by_hand_as_the_reference_says(tmp_path: Path) -> None:
    ran, printed = by_hand(tmp_path, (VECTOR / "report.dsse.json").read_text())
    assert (ran.returncode, ran.stdout.strip()) == (0, printed)


def test_a_changed_payload_is_refused_by_hand(tmp_path: Path) -> None:
    changed = re.sub(r'("payload": "ey)J', r"\1K", (VECTOR / "report.dsse.json").read_text())
    ran, _ = by_hand(tmp_path, changed)
    assert ran.returncode == 1
    assert "Verification failure" in ran.stdout + ran.stderr


def test_the_picture_stands_alone() -> None:
    picture = ET.parse(ROOT / "docs" / "report.svg").getroot()
    words = {"".join(each.itertext()) for each in picture.iter() if each.tag.endswith("text")}
    assert {"budget", "limit", "estimate", "interval", "n", "evidence", "verdict", "pass", "fail"} <= words
    assert {each.tag.rpartition("}")[2] for each in picture.iter()} <= {"svg", "style", "rect", "path", "text"}
    outside = [
        value for each in picture.iter() for name, value in each.attrib.items() if "href" in name or "url(" in value
    ]
    assert outside == []
    assert "url(" not in (ROOT / "docs" / "report.svg").read_text()
