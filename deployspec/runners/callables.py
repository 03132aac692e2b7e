"""Calls the function of a project's file that makes the model; knows no framework. Shipped beside the runners."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class ModelFault(Exception):
    """The model's code or its weights are not what the spec needs; the text tells all, in one line."""

    tells_all = True


def made_by(folder: str, source: str, kind: type, kind_name: str) -> Any:
    """What the callable `source` (`file.py:name`) of `folder` returns, a `kind`. Raises ModelFault."""
    file, _, name = source.partition(":")
    path = (Path(folder) / file).resolve()
    try:
        made = _maker(import_file(path), file, name, kind)()
    except ModelFault:
        raise
    except Exception as error:
        raise ModelFault(located(error, path)) from error
    if not isinstance(made, kind):
        raise ModelFault(f"{source} returned {with_article(made)}, which is no {kind_name}")
    return made


def with_article(value: object) -> str:
    """The value's type with its article, to be spoken of."""
    kind = type(value).__name__
    return "None" if value is None else f"an {kind}" if kind[0] in "aeiouAEIOU" else f"a {kind}"


def first_line(error: Exception) -> str:
    """The first line of what an exception says."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def import_file(path: Path, role: str = "model") -> ModuleType:
    """The file as a module, run afresh: this process may hold another of its name.

    The name that it gets is of its `role`: a `random.py` must not be taken for Python's.
    """
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(f"deployspec_{role}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _maker(module: ModuleType, file: str, name: str, kind: type) -> Callable[[], Any]:
    """The callable of the file, which must need no arguments."""
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, vars(module), n=1)
        raise ModelFault(f"{file} has no '{name}'" + (f": perhaps you meant '{near[0]}'" if near else ""))
    maker: Any = getattr(module, name)
    if isinstance(maker, kind) or not callable(maker):
        raise ModelFault(f"{file}:{name} is {with_article(maker)}: name a function, or a class, that makes the model")
    wanted = [each.name for each in inspect.signature(maker).parameters.values() if _needed(each)]
    if wanted:
        raise ModelFault(f"{file}:{name} wants arguments ({', '.join(wanted)}): name a function that wants none")
    return maker


def _needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in (
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    )


def located(error: Exception, path: Path) -> str:
    """The error in one line, after the innermost line of the project's own code that led to it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}: {type(error).__name__}: {error.msg}"
    said = f"{type(error).__name__}: {first_line(error)}"
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(path.parent) and "site-packages" not in frame.filename
    ]
    if not own:
        return f"{path.name}: {said}"
    inside = "" if own[-1].name == "<module>" else f" in {own[-1].name}"
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}{inside}: {said}"
