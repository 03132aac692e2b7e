"""Which kind of file a TOML tree is: told by what it holds, whatever its name and its faults."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """What users commit beside a model."""

    SPEC = "spec"
    POLICY = "policy"
    TRUST = "trust"


_SPEC: Final = frozenset({"model", "task", "data", "targets"})
_TRUST: Final = frozenset({"trust", "keys"})
_POLICY: Final = frozenset({"budgets", "evidence"})


def kind_of(tree: Mapping[str, Any]) -> Kind:
    """The kind of file whose faults help its writer; a spec where nothing tells.

    1. What speaks of one model is a spec, whatever it lacks: `waivers` as an array names its targets.
    2. `trust` and `keys` mean nothing in the language of specs.
    3. Without a model, demands are a policy's: there `waivers` is true or false.
    """
    waivers = tree.get("waivers")
    signs = (
        (Kind.SPEC, not _SPEC.isdisjoint(tree) or isinstance(waivers, list)),
        (Kind.TRUST, not _TRUST.isdisjoint(tree)),
        (Kind.POLICY, not _POLICY.isdisjoint(tree) or isinstance(waivers, bool)),
    )
    return next((kind for kind, there in signs if there), Kind.SPEC)
