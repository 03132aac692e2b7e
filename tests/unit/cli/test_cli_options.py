"""What commands have alike: how they write, how a quantity is given, and how they end when they are interrupted."""

from __future__ import annotations

import fcntl
import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from deployspec.cli import COMMANDS, main

COMMAND_OF = {name: importlib.import_module(f"deployspec.cli.{name}").command for name in COMMANDS}


@pytest.mark.parametrize(
    "name", [name for name, each in COMMAND_OF.items() if any(option.name == "form" for option in each.params)]
)
def test_a_command_that_writes_in_several_forms_writes_text_and_says_so(name: str) -> None:
    command = COMMAND_OF[name]
    (option,) = (each for each in command.params if each.name == "form")
    assert isinstance(option.type, click.Choice)
    assert option.type.choices[0] == "text"
    assert "[default: text]" in " ".join(command.get_help(click.Context(command)).split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "spec.toml", "--reuse-latency", "3 parsecs"), "'--reuse-latency': '3 parsecs' is not a duration"),
        (("check", "spec.toml", "--memory-limit", "3 parsecs"), "'--memory-limit': '3 parsecs' is not a size"),
        (("measure", "net.pte", "--time-limit", "3 parsecs"), "'--time-limit': '3 parsecs' is not a duration"),
        (("measure", "net.pte", "--sustained", "3 parsecs"), "'--sustained': '3 parsecs' is not a duration"),
    ],
    ids=lambda each: each[2] if isinstance(each, tuple) else "",
)
def test_a_quantity_that_is_none_is_refused_alike(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert f"Error: Invalid value for {said}" in capsys.readouterr().err


def test_a_command_without_a_store_that_is_interrupted_speaks_of_none() -> None:
    """It waits for a reader of more than a pipe holds."""
    out, full = os.pipe()
    fcntl.fcntl(full, fcntl.F_SETPIPE_SZ, 4096)
    command = [sys.executable, "-m", "deployspec", "schema"]
    with (
        subprocess.Popen(command, stdout=full, stderr=subprocess.PIPE, text=True) as running,
        Path(f"/dev/fd/{out}").open() as read,
    ):
        os.close(full)
        assert read.read(1) == "{"
        running.terminate()
        assert running.stderr is not None
        assert [running.stderr.readline() for _ in range(2)] == ["\n", "interrupted: nothing is left running\n"]
        read.read()
    assert running.returncode == 130


@pytest.mark.parametrize("arguments", [("check", "spec.toml", "--key", ""), ("verify", "", "--trust", "t.toml")])
def test_a_path_that_is_empty_comes_of_a_variable_that_is_not_set(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "it is empty: is the variable that should hold it set?" in capsys.readouterr().err
