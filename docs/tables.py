"""The tables of the documentation, each from the code that it describes."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import tomllib
import types
import typing
from datetime import date
from decimal import ROUND_CEILING, Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from words import EVIDENCE, KEYS, OPTIONS, PLAN, PREDICATE, RESOLVED, STATISTICS

from deployspec import preflight, registry
from deployspec.formats.coreml_hazards import HAZARDS
from deployspec.ir.budget import BUDGETS, Budget, BudgetKind, Keys, Method
from deployspec.ir.codec import camel, kind_of, optional
from deployspec.ir.data import Support
from deployspec.ir.evidence import Statistic
from deployspec.ir.model import ANY_TASK
from deployspec.ir.rules import EvidenceClass, Rules
from deployspec.judge.decidable import Decidable, decidable
from deployspec.parse import policy
from deployspec.plan import as_json
from deployspec.registry import Family
from deployspec.units import UNITS, Dimension, parse_bound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SPEC: Final = Path(__file__).parent.parent / "specs" / "digits.toml"

Words = dict[object, str]
"""What a scalar type is called; None stands for a table."""

TOML: Final[Words] = {
    str: "text", bool: "true or false", int: "whole number", float: "number", Decimal: "number", date: "date",
    None: "table",
}  # fmt: skip
JSON: Final[Words] = TOML | {Decimal: "decimal text", date: "text", None: "object"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def language() -> str:
    """Every table of a spec with its keys, types and defaults."""
    return "\n\n".join(
        f"### `{title}`\n\n" + table(("key", "type", "default", "meaning"), _keys(title, kind, meanings))
        for title, (kind, meanings) in KEYS.items()
    )


def _keys(title: str, kind: type, meanings: dict[str, str]) -> Iterator[tuple[str, ...]]:
    hints = typing.get_type_hints(kind)
    _expect_all(kind, meanings)
    for field in dataclasses.fields(kind):
        default = RESOLVED.get((title, field.name)) or _default(field)
        yield f"`{field.name}`", in_words(hints[field.name]), default, meanings[field.name]


def _expect_all(kind: type, meanings: dict[str, str]) -> None:
    _expect(kind.__name__, (field.name for field in dataclasses.fields(kind)), meanings)


def _expect(name: str, found: Iterable[object], told: Iterable[object]) -> None:
    """Raises ValueError where docs/words.py does not tell of exactly these, in their order."""
    have, said = list(found), list(told)
    if have != said:
        raise ValueError(f"{name} has {have}, and docs/words.py tells of {said}")


def in_words(hint: Any, words: Words = TOML) -> str:
    """A type hint as a reader of TOML (or JSON) would say it."""
    args = typing.get_args(hint)
    match typing.get_origin(hint):
        case typing.Literal:
            return ", ".join(f"`{each}`" for each in args)
        case typing.Union | types.UnionType:
            return " or ".join(dict.fromkeys(in_words(each, words) for each in args if each is not types.NoneType))
        case origin if origin is tuple and args[-1] is Ellipsis:
            return f"array of {_plural(in_words(args[0], words))}"
        case origin if origin is tuple:
            return f"[{', '.join(in_words(each, words) for each in args)}]"
        case origin if origin is dict or dataclasses.is_dataclass(hint):
            return words[None]
        case _ if isinstance(hint, type) and issubclass(hint, Enum):
            return words[str]
        case _:
            return words[hint]


def _plural(word: str) -> str:
    return word if word.endswith(("text", "]", "s")) else f"{word}s"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "required" if field.default_factory is dataclasses.MISSING else "empty"
    if field.default in (None, ()) or isinstance(field.default, tuple):
        return "none"
    return f"`{field.default!r}`".replace("'", '"').replace("True", "true").replace("False", "false")


def units() -> str:
    """The legal units of each dimension."""
    named = {each: [unit for unit in UNITS[each] if unit] for each in Dimension}
    rows = ((each.name.lower(), ", ".join(f"`{unit}`" for unit in have)) for each, have in named.items() if have)
    return table(("of", "units"), rows)


def budgets() -> str:
    """Every built-in budget."""
    head = ("budget", "unit", "better", "of", "evidence", "measured from", "method", "meaning")
    return table(head, map(_budget, BUDGETS.values()))


def _budget(kind: BudgetKind) -> tuple[str, ...]:
    return (
        f"`{kind.name}`",
        _unit(kind.dimension),
        "smaller" if kind.ceiling else "larger",
        _concerns(kind),
        kind.kind.value,
        f"`{kind.measured_from}`",
        f"[{kind.method.value}](judging.md#{kind.method.value})",
        kind.meaning,
    )


def _unit(dimension: Dimension) -> str:
    """The base unit of its limits."""
    match dimension:
        case Dimension.FLAG:
            return "true"
        case Dimension.COUNT | Dimension.NUMBER:
            return "none"
        case Dimension.DROP:
            return "pp, %"
        case Dimension.CHANGE:
            return "pp"
        case _:
            return dimension.value


def _concerns(kind: BudgetKind) -> str:
    parts = ["each class"] if kind.keys is Keys.CLASSES else []
    parts += [] if kind.tasks == ANY_TASK else [", ".join(sorted(kind.tasks))]
    parts += [", ".join(_delegating())] if kind.needs_delegates else []
    return "; ".join(parts) or "all"


def _delegating() -> list[str]:
    targets = registry.names(Family.TARGETS)
    return [name for name in targets if registry.load(Family.TARGETS, name).has_delegates]


def formats() -> str:
    """The formats, what each is made from and with, and what runs it."""
    rows = []
    for name in registry.names(Family.TARGETS):
        plugin = registry.load(Family.TARGETS, name)
        edges, runner = plugin().lowerings(), plugin().runner()
        sources = sorted({form for edge in edges for form in edge.takes} - {plugin.form})
        schemes = [f"`{scheme}`{_in_brackets(*needs)}" for scheme, needs in _schemes(plugin).items()]
        made_of = ", ".join(f"`{each}`" for each in sources)
        options = ", ".join(f"`{each}`" for each in registry.options(Family.TARGETS, name))
        runtime = ", ".join(each for each in runner.toolchain.distributions if each != "safetensors") if runner else "-"
        rows.append((f"`{name}`", made_of, ", ".join(["float32", *schemes]), options or "none", runtime))
    return table(("format", "from", "schemes", "options", "measured in"), rows)


def _schemes(plugin: Any) -> dict[str, tuple[str, str]]:
    """By scheme what it needs: calibration, and an option's value where the default does not have it."""
    found: dict[str, tuple[str, str]] = {}
    for asked, made in registry.ways(plugin):
        for edge in made.lowerings():
            if edge.realises:
                found.setdefault(edge.realises, ("calibrated" if edge.needs else "", f"`{asked}`" if asked else ""))
    return found


def _in_brackets(*notes: str) -> str:
    said = ", ".join(filter(None, notes))
    return f" ({said})" if said else ""


def options() -> str:
    """The options of each format and pass."""
    plugins = [(family, name) for family in Family for name in registry.names(family)]
    rows = (row for family, name in plugins for row in _options(family, name))
    return table(("of", "option", "type", "default", "meaning"), rows)


def _options(family: Family, name: str) -> Iterator[tuple[str, ...]]:
    plugin, word = registry.load(family, name), {Family.TARGETS: "format", Family.PASSES: "pass"}[family]
    hints, told = typing.get_type_hints(plugin), _attribute_docs(plugin)
    for field in dataclasses.fields(plugin):
        meaning = told.get(field.name) or OPTIONS[name, field.name]
        yield f"{word} `{name}`", f"`{field.name}`", in_words(hints[field.name]), _default(field), meaning


def _attribute_docs(plugin: type) -> dict[str, str]:
    """The strings that follow a plug-in's fields in its source."""
    body = ast.parse(inspect.getsource(plugin)).body[0]
    assert isinstance(body, ast.ClassDef)
    pairs = zip(body.body, body.body[1:], strict=False)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }  # fmt: skip


def policies() -> str:
    """The packaged policies with their budgets."""
    rows = []
    for name in policy.packaged():
        held = tomllib.loads((policy.FOLDER / f"{name.removeprefix(policy.PACKAGED)}.toml").read_text())
        demanded = "<br>".join(f"`{key}` {_said(each)}" for key, each in held["budgets"].items())
        rows.append((f"`{name}`", held["description"], demanded))
    return table(("policy", "for", "budgets"), rows)


def _said(limit: Any) -> str:
    match limit:
        case {"good": good, "limit": outer}:
            return f"good {good}, limit {outer}"
        case {"*": each}:
            return f"of each class: {_said(each)}"
        case True:
            return "true"
        case _:
            return str(limit)


def evidence_classes() -> str:
    """The classes of evidence, best first."""
    meanings = {
        EvidenceClass.DEVICE: "the device that the target names",
        EvidenceClass.EMULATOR: "an emulator of it; counts for quality, never for time, memory or energy",
        EvidenceClass.HOST: "this machine's CPU runs the artifact in the vendor's runtime",
        EvidenceClass.REFERENCE: "an evaluator that is not the vendor's runtime",
        EvidenceClass.STATIC: "read from the artifact's bytes, or counted in the data",
        EvidenceClass.CLAIMED: "handed in by others without a signature that counts",
    }
    given = {EvidenceClass.HOST, EvidenceClass.REFERENCE, EvidenceClass.STATIC}
    others = "[handed in](evidence.md)"
    rows = ((f"`{each}`", meanings[each], "yes" if each in given else others) for each in EvidenceClass)
    return table(("class", "where the figure comes from", "given here"), rows)


def methods() -> str:
    """Which budgets each method judges."""
    rows = []
    for method in Method:
        judged = [f"`{kind.name}`" for kind in BUDGETS.values() if kind.method is method]
        rows.append((f"[{method.value}](#{method.value})", ", ".join(judged)))
    return table(("method", "budgets"), rows)


def samples() -> str:
    """What splits of some sizes prove at 95 % confidence."""
    asked = [_common("accuracy", f">= {floor} %") for floor in (80, 90, 99)] + [_common("accuracy_drop", "< 2 pp")]
    head = ("samples", "floor of 80 %", "of 90 %", "of 99 %", "drop below 2 pp", "smallest drop")
    return table(head, (list(_proven_by(n, asked)) for n in (20, 50, 100, 200, 500, 1000, 2000)))


def _common(name: str, limit: str) -> Budget:
    kind = BUDGETS[name]
    return Budget(metric=name, limit=parse_bound(limit, kind.dimension), ceiling=kind.ceiling, dimension=kind.dimension)


def _proven_by(n: int, limits: list[Budget]) -> Iterator[str]:
    found = decidable(limits, {"test": Support(n=n, per_class={})}, Rules(confidence=Decimal("0.95"), least={}))
    yield f"{n:,}"
    for limit, each in zip(limits, found, strict=True):
        if each.errors is None:
            yield "never"
        else:
            yield f"at most {each.errors} net broken" if limit.ceiling else f"from {n - each.errors:,} right"
    assert found[-1].best is not None
    yield f"{(found[-1].best * 100).quantize(Decimal('0.01'), ROUND_CEILING)} pp"


def predicate() -> str:
    """The report's predicate, part by part."""
    parts = [
        f"### {title}\n\n" + table(("field", "type", "meaning"), _fields(kind, meanings))
        for title, (kind, meanings) in PREDICATE.items()
    ]
    return "\n\n".join([*parts, _statistics()])


def evidence_document() -> str:
    """The document of evidence that others hand in, part by part."""
    head = ("field", "type", "required", "meaning")
    return "\n\n".join(f"### {title}\n\n" + table(head, _by_hand(*part)) for title, part in EVIDENCE.items())


def _by_hand(kind: type, meanings: dict[str, str]) -> Iterator[tuple[str, ...]]:
    for field, words, meaning in _fields(kind, meanings):
        yield field, words, "" if field.strip("`") in optional(kind) else "yes", meaning


def _fields(kind: type, meanings: dict[str, str]) -> Iterator[tuple[str, ...]]:
    hints = typing.get_type_hints(kind)
    _expect_all(kind, meanings)
    for name, meaning in meanings.items():
        yield f"`{camel(name)}`", "object" if name == "statistic" else in_words(hints[name], JSON), meaning


def _statistics() -> str:
    _expect("Statistic", typing.get_args(Statistic), STATISTICS)
    rows = (
        (f"`{kind_of(kind)}`", ", ".join(f"`{camel(field.name)}`" for field in dataclasses.fields(kind)), meaning)
        for kind, meaning in STATISTICS.items()
    )
    return "### `statistic`\n\n" + table(("kind", "fields", "meaning"), rows)


def plan() -> str:
    """The plan as JSON, held against that of a spec."""
    _expect("the plan", _plan_fields(), PLAN)
    return table(("field", "meaning"), ((f"`{field}`", meaning) for field, meaning in PLAN.items()))


def _plan_fields() -> Iterator[str]:
    document = as_json(*preflight.read(SPEC), {})
    for key, value in document.items():
        match key:
            case "steps" | "targets":
                yield from (f"{key}[].{each}" for each in value[0])
            case "decidable":
                yield from (f"{key}.TARGET[].{camel(field.name)}" for field in dataclasses.fields(Decidable))
            case _:
                yield key


def hazards() -> str:
    """What is known to go wrong with ML Programs on devices."""
    rows = (
        (each.construct, each.harm, each.remedy, f"[{_thread(each.reference)}]({each.reference})") for each in HAZARDS
    )
    return table(("in the program", "what goes wrong", "what to do", "told in"), rows)


def _thread(url: str) -> str:
    """`coremltools#2628` for a thread on GitHub; of other pages their host's owner."""
    owner, _, number = url.removeprefix("https://github.com/").rpartition("/")
    return f"{owner.split('/')[1]}#{number}" if number.isdecimal() else "the makers' guide"
