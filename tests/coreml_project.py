"""Two networks as Core ML packages, of every scheme and minimum that matters: made once for all tests of them."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from deployspec.build import BuildContext, Store, build
from deployspec.plan import make_plan
from deployspec.sources.identity import origins
from deployspec.testing.project import PICTURES, WORDS, Built, Case, Net, build_project

if TYPE_CHECKING:
    from deployspec.ir.spec import Spec

PRUNED = '{ pass = "prune", sparsity = 0.6 }'


def case(minimum: str, scheme: str | None = None, *, pruned: bool = False, options: str = "") -> Case:
    """A target called after what it asks for."""
    name = f"{'pruned-' if pruned else ''}{scheme or 'float32'}-{minimum}"
    text = f'minimum = "{minimum}"\n{options}'
    if not pruned:
        return Case(name=name, format="coreml", scheme=scheme, options=text)
    quantize = [f'{{ pass = "quantize", scheme = "{scheme}" }}'] if scheme else []
    passes = f"passes = [{', '.join([PRUNED, *quantize])}]"
    return Case(name=name, format="coreml", options=f"{text}\n{passes}\n")


BATCHED = case("iOS17", "float16", options="batch_max = 4")

PLAIN = (
    case("iOS15"),
    case("iOS15", "float16"),
    case("iOS16", "int8-weights"),
    case("iOS16", "palette-4"),
    case("iOS17", "int8"),
    case("iOS18"),
    case("iOS18", "int8"),
    case("iOS18", "int8-weights"),
    case("iOS18", "int4-weights"),
    case("iOS18", "palette-8"),
    case("iOS18", "palette-6"),
    case("iOS18", "palette-4"),
    BATCHED,
)
PRUNED_ONES = (
    case("iOS15", pruned=True),
    case("iOS16", pruned=True),
    case("iOS16", "float16", pruned=True),
    case("iOS16", "int8-weights", pruned=True),
    case("iOS16", "palette-4", pruned=True),
    case("iOS18", "int8", pruned=True),
    case("iOS18", "int8-weights", pruned=True),
    case("iOS18", "int4-weights", pruned=True),
    case("iOS18", "palette-6", pruned=True),
)
OF_PICTURES = PLAIN + PRUNED_ONES
OF_WORDS = (
    case("iOS18"),
    case("iOS16", "int8-weights"),
    case("iOS16", "palette-4"),
    case("iOS17", "int8"),
    case("iOS18", "int4-weights", pruned=True),
    BATCHED,
)


@cache
def pictures() -> Built:
    """The convolutional network, every case, built once a process."""
    return build_in(Path(tempfile.mkdtemp(prefix="coreml-")), PICTURES, OF_PICTURES)


@cache
def words() -> Built:
    """The network of several inputs and outputs, some cases, built once a process."""
    return build_in(Path(tempfile.mkdtemp(prefix="coreml-")), WORDS, OF_WORDS)


def build_in(folder: Path, net: Net, cases: tuple[Case, ...]) -> Built:
    """Build the cases with a store of their own."""
    return build_project(folder / "project", folder / "store", net, cases)


def build_spec(spec: Spec, store: Path) -> Built:
    """Build every target of a spec."""
    plan = make_plan(spec)
    digests = {origin.id: origin.sha256 for origin in origins(spec).values()}
    context = BuildContext(folder=spec.folder, model=spec.model, digests=digests)
    return Built(spec, plan, build(plan, Store(store), context))
