"""Policies: an organisation's floor, which a spec may tighten and never loosen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deployspec.diagnostics import KeyPath, nearest
from deployspec.digests import sha256_bytes
from deployspec.errors import SpecFaults
from deployspec.ir.constraint import Text  # noqa: TC001 - the hints are read at run time
from deployspec.ir.spec import PolicyUse
from deployspec.parse import budgets, paths, shape, toml
from deployspec.parse.document import VERSION, EvidenceDemanded
from deployspec.parse.rules import check_churn_noise, check_confidence, check_sustained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deployspec.ir.budget import Budget, BudgetKind
    from deployspec.parse.faults import Faults
    from deployspec.units import Bound

PACKAGED: Final = "deployspec:"
"""The prefix of the policies that ship with this package."""

FOLDER: Final = Path(__file__).parent.parent / "policies"

Expanded = dict[str, tuple["Budget", budgets.Limit]]
"""Budgets by name, each with the limit it comes from."""


@dataclass(frozen=True, kw_only=True)
class PolicyFile:
    """A policy as it is written."""

    deployspec: int
    description: Text | None = None
    evidence: EvidenceDemanded = field(default_factory=EvidenceDemanded)
    waivers: bool = True
    budgets: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy that was read. `path` is where the spec extends it."""

    use: PolicyUse
    path: KeyPath
    evidence: EvidenceDemanded
    waivers: bool
    limits: tuple[budgets.Limit, ...]


def packaged() -> tuple[str, ...]:
    """The names of the policies that ship with this package, as a spec writes them."""
    return tuple(sorted(PACKAGED + each.stem for each in FOLDER.glob("*.toml")))


def read_policies(
    extends: tuple[str, ...], folder: Path, root: Path, kinds: Mapping[str, BudgetKind], faults: Faults
) -> tuple[Policy, ...]:
    """Every policy that can be read; faults in a policy's text name the policy's file."""
    found: dict[Path, Policy | None] = {}
    for i, name in enumerate(extends):
        path = ("policy", "extends", i)
        file = _locate(name, folder, root, path, faults)
        if file in found:
            faults.at_value("repeated-name", f"the policy '{name}' is extended twice", path, "leave one out")
        elif file is not None:
            found[file] = _read(name, file, path, kinds, faults)
    return tuple(each for each in found.values() if each is not None)


def _read(name: str, file: Path, path: KeyPath, kinds: Mapping[str, BudgetKind], faults: Faults) -> Policy | None:
    inside = faults.of(file)
    try:
        read = toml.read(file)
        document = shape.read(PolicyFile, read.tree, (), inside)
    except SpecFaults as error:
        faults.found += error.faults
        return None
    if document is None:
        return None
    return policy_of(document, PolicyUse(name, sha256_bytes(read.data)), path, kinds, inside)


def policy_of(
    document: PolicyFile, use: PolicyUse, path: KeyPath, kinds: Mapping[str, BudgetKind], faults: Faults
) -> Policy | None:
    """What the document demands, or None where it cannot be had; each of its faults is noted."""
    if document.deployspec != VERSION:
        faults.at_value(
            "unknown-version", f"version {document.deployspec} is not known", ("deployspec",), f"known: {VERSION}"
        )
    check_confidence(document.evidence, faults)
    limits = budgets.read_limits(document.budgets, ("budgets",), kinds, faults)
    if not all([check_churn_noise(document.evidence, faults), check_sustained(document.evidence, faults)]):
        return None
    return Policy(
        use=use,
        path=path,
        evidence=document.evidence,
        waivers=document.waivers,
        limits=limits,
    )


def _locate(name: str, folder: Path, root: Path, path: KeyPath, faults: Faults) -> Path | None:
    if name.startswith(PACKAGED):
        if name in packaged():
            return FOLDER / f"{name.removeprefix(PACKAGED)}.toml"
        help = nearest(name, packaged()) or f"there are {', '.join(packaged())}"
        faults.at_value("unknown-policy", f"no policy is called '{name}'", path, help)
        return None
    file = paths.check_path(name, folder, root, path, faults)
    if file is not None and not file.is_file():
        faults.at_value("missing-file", f"the policy '{name}' does not exist", path)
        return None
    return file


def floor(policies: tuple[tuple[KeyPath, Expanded], ...], faults: Faults) -> Expanded:
    """The tightest of what the policies demand, budget by budget; each comes with where the spec extends it."""
    tightest: Expanded = {}
    for path, policy in policies:
        for name, (budget, limit) in policy.items():
            held = tightest.get(name, (budget, limit))[0]
            if held.limit.relative != budget.limit.relative:
                message = f"two policies limit '{name}' in different units: '{held.limit.text}', '{budget.limit.text}'"
                faults.at_value("policies-differ", message, path, "no spec can hold both")
            else:
                tightest[name] = (_tighter(budget, held), limit)
    return tightest


def _tighter(one: Budget, other: Budget) -> Budget:
    outer, inner = (one, other) if one.limit.loosens(other.limit) else (other, one)
    return replace(inner, good=_good_band(inner, outer))


def _good_band(budget: Budget, other: Budget) -> Bound | None:
    """The tighter of two good bands; None where it demands no more than the limit of `budget` does."""
    tightest = budget.good or other.good
    if budget.good is not None and other.good is not None and budget.good.loosens(other.good):
        tightest = other.good
    return tightest if tightest is not None and budget.limit.loosens(tightest) else None


def bound_by(own: Expanded, demanded: Expanded, faults: Faults) -> tuple[Budget, ...]:
    """A target's budgets under its policies: those it lacks are added, and one that loosens them is a fault."""
    found = {name: budget for name, (budget, _) in own.items()}
    for name, (floor_budget, _) in demanded.items():
        if name not in own:
            found[name] = floor_budget
            continue
        budget, limit = own[name]
        problem = _loosens(budget, floor_budget)
        if problem:
            faults.at_value("loosens-policy", f"'{name}' {problem}", limit.path, "a spec may only tighten a policy")
        elif budget.good is None:
            found[name] = replace(budget, good=_good_band(budget, floor_budget))
    return tuple(found.values())


def _loosens(budget: Budget, demanded: Budget) -> str:
    if budget.limit.relative != demanded.limit.relative:
        return f"cannot be compared with the policy's '{demanded.limit.text}': use the policy's unit"
    if budget.limit.loosens(demanded.limit):
        return f"is looser than the policy's '{demanded.limit.text}'"
    if budget.good is not None and demanded.good is not None and budget.good.loosens(demanded.good):
        return f"has a good band looser than the policy's '{demanded.good.text}'"
    return ""
