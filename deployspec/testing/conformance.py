"""The suite itself: every test is one promise that a target makes to those who deploy with it."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pytest

from deployspec import registry
from deployspec.digests import sha256_path, size_bytes
from deployspec.ir.plan import TORCH_MODULE, Lowering
from deployspec.ir.tolerance import EXACT, TOLERANCES
from deployspec.plan import make_plan
from deployspec.registry import Family
from deployspec.routes import NoRoute, find_route
from deployspec.testing.project import MANY, PICTURES, SAMPLES, WORDS, Built, Case, Net, build_project, write_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deployspec.ir.structure import End

SHRINKS: Final = {"float16": 0.75, "bfloat16": 0.75} | {scheme: 0.6 for scheme in TOLERANCES if "float" not in scheme}
"""Bytes of a quantized artifact against those of the plain one, at most; of a scheme that is not here, 1."""


@dataclass(frozen=True)
class Made:
    """One case of one network, and all that was built with it."""

    net: Net
    case: Case
    built: Built


class TargetConformance:
    """Inherit, and name the targets; pytest collects a test for each promise, network and quantization scheme.

    What is expected of a target that takes a torch module:

    1. It is made, reloads in a fresh process and keeps its contract, with every scheme, for images and for several
       inputs and outputs of several types, twelve of them even.
    2. What its contract holds it to are the source's own answers: those of the model in floating point.
    3. Its answers stay within the scheme's tolerance (`deployspec.ir.tolerance`) and follow its inputs.
    4. Quantized, it is smaller.
    5. Its inputs and outputs are called and shaped as the spec says, in the spec's order.
    6. Its inspector finds the network's parameters and multiply-accumulates (or says why not), and no more bytes of
       weights than the file has.
    7. Nothing in the file tells of the machine that made it, and a second build gives the same bytes.
    8. A second target that asks for the same costs no step.
    9. The file's name ends as the target declares, and only where it declares delegates does the inspector count what
       they leave over.

    What takes running the file (3) is left out for a format that nothing here executes.
    """

    targets: ClassVar[tuple[str, ...]]
    """Names of registered targets; each is built plainly and with every scheme that it takes from a torch module."""
    variants: ClassVar[tuple[Case, ...]] = ()
    """More cases, e.g. with options of the format."""
    nets: ClassVar[tuple[Net, ...]] = (PICTURES, WORDS, MANY)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test for each case that has what the test's fixture stands for."""
        for fixture, stands_for in _FIXTURES.items():
            if fixture in metafunc.fixturenames:
                pairs = [(net, case) for net in self.nets for case in self.cases(net) if stands_for(case)]
                metafunc.parametrize(
                    fixture, pairs, ids=[f"{net.name}-{case.name}" for net, case in pairs], indirect=True
                )

    @classmethod
    def cases(cls, net: Net) -> list[Case]:
        """The targets' own cases and the variants; of a network without weights the plain ones."""
        found = [case for name in cls.targets for case in _cases(name)] + list(cls.variants)
        return found if net.quantizable else [case for case in found if not case.scheme and not case.options]

    @pytest.fixture(scope="class")
    @classmethod
    def builds(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Callable[[Net, str], Built]:
        """Builds what the chosen tests of this class need of a network, once for each `name` of a store."""

        @cache
        def build(net: Net, store: str) -> Built:
            folder = tmp_path_factory.mktemp(f"{store}-{net.name}")
            chosen = set(_chosen(request.session.items, cls, net))
            formats = {case.format for case in chosen}
            plain = {case for case in cls.cases(net) if case == _plain(case.format) and case.format in formats}
            wanted = [case for case in cls.cases(net) if case in chosen | plain]
            return build_project(folder / "project", folder / "store", net, wanted)

        return build

    @pytest.fixture
    def made(self, request: pytest.FixtureRequest, builds: Callable[[Net, str], Built]) -> Made:
        """Any case."""
        return _made(request, builds)

    @pytest.fixture
    def run(self, request: pytest.FixtureRequest, builds: Callable[[Net, str], Built]) -> Made:
        """A case of a format that something here executes."""
        return _made(request, builds)

    @pytest.fixture
    def quantized(self, request: pytest.FixtureRequest, builds: Callable[[Net, str], Built]) -> Made:
        """A case with a scheme."""
        return _made(request, builds)

    def test_it_is_made_and_keeps_its_contract(self, made: Made) -> None:
        """Every step of the route is done: those that make, those that inspect, those that reload and compare."""
        for step in made.built.route(made.case).steps:
            made.built.done(step)

    def test_it_is_held_to_the_answers_of_the_source(self, made: Made) -> None:
        """Not to those of a quantized model, which may be spoilt as the file is."""
        recorded = made.built.recorded(made.case)
        assert _drift([output[: len(recorded[0])] for output in made.built.expected()], recorded) <= EXACT

    def test_its_answers_are_the_sources_within_the_schemes_tolerance(self, run: Made) -> None:
        """On the samples that calibrated it: what lies beyond their range is clipped, and rightly."""
        known = slice(SAMPLES // 2)
        expected, got = run.built.expected(), run.built.answers(run.case)
        assert len(got) == len(expected)
        assert _drift([each[known] for each in expected], [each[known] for each in got]) <= _tolerance(run.case)

    def test_it_follows_its_input(self, run: Made) -> None:
        """Parity of a model that always answers the same would mean nothing."""
        for output in run.built.answers(run.case):
            assert len(np.unique(output.round(3), axis=0)) > SAMPLES // 4

    def test_quantized_it_is_smaller(self, quantized: Made) -> None:
        """Than the plain artifact of its format."""
        case, built = quantized.case, quantized.built
        small, large = (size_bytes(built.artifact(each)) for each in (case, _plain(case.format)))
        assert small < SHRINKS.get(str(case.scheme), 1) * large

    def test_its_ends_are_the_specs(self, made: Made) -> None:
        """By name, in order, and each with as many elements a sample; a format without names has them in order."""
        structure, model = made.built.structure(made.case), made.built.spec.model
        for found, declared in ((structure.inputs, model.inputs), (structure.outputs, model.outputs)):
            assert [end.name for end in found] in ([each.name for each in declared], [""] * len(declared))
        for end, declared_input in zip(structure.inputs, model.inputs, strict=True):
            wanted = prod(size for size in declared_input.shape if isinstance(size, int))
            assert _elements(end) in (wanted, None)

    def test_its_structure_is_the_networks(self, made: Made) -> None:
        """Parameters (normalisation may be folded, constants may be added), multiply-accumulates, weights' bytes."""
        structure = made.built.structure(made.case)
        assert 0.98 * made.net.parameters <= structure.parameters <= 1.1 * made.net.parameters + 24
        assert structure.macs == made.net.macs or (structure.macs is None and structure.macs_reason)
        assert 0 <= structure.kernel_zeros <= structure.kernel_elements <= structure.parameters
        assert sum(size for _, size in structure.weight_bytes) <= size_bytes(made.built.artifact(made.case))
        assert structure.operators
        assert all(count > 0 for _, count in structure.operators)

    def test_it_is_as_the_target_declares(self, made: Made) -> None:
        """How its name ends, and whether there are operators that a delegate may leave over."""
        target = registry.load(Family.TARGETS, made.case.format)
        assert made.built.artifact(made.case).name.endswith(target.suffixes)
        assert made.built.structure(made.case).undelegated is None or target.has_delegates

    def test_it_does_not_tell_of_the_machine_that_made_it(self, made: Made) -> None:
        """No path of the project, of the store, of the environment or of the user."""
        artifact = made.built.artifact(made.case)
        places = [made.built.spec.folder.parent, Path(sys.prefix), Path(sys.base_prefix), Path.cwd(), Path.home()]
        told = [str(place).encode() + b"/" for place in places if len(place.parts) > 1] + [b"site-packages"]
        for name, content in _contents(artifact):
            assert not [text for text in told if text in content], name

    def test_a_second_build_elsewhere_gives_the_same_bytes(
        self, made: Made, builds: Callable[[Net, str], Built]
    ) -> None:
        """Else no digest in a report could be had again."""
        again = builds(made.net, "second")
        assert sha256_path(again.artifact(made.case)) == sha256_path(made.built.artifact(made.case))

    def test_a_second_target_that_asks_for_the_same_costs_no_step(self, tmp_path: Path) -> None:
        """Equal work is one step, and so is what two schemes begin with."""
        cases = self.cases(PICTURES)
        alone = make_plan(write_project(tmp_path / "alone", PICTURES, cases))
        twins = [replace(case, name=f"{case.name}-twin") for case in cases]
        both = make_plan(write_project(tmp_path / "both", PICTURES, [*cases, *twins]))
        assert [step.id for step in both.steps] == [step.id for step in alone.steps]


def _made(request: pytest.FixtureRequest, builds: Callable[[Net, str], Built]) -> Made:
    net, case = request.param
    return Made(net, case, builds(net, "first"))


def _cases(target: str) -> Iterator[Case]:
    """The target plainly, then with each scheme that a torch module can have, as the registry's lowerings say."""
    plugin = registry.load(Family.TARGETS, target)()
    schemes = dict.fromkeys(edge.realises for edge in plugin.lowerings())
    for scheme in schemes:
        if _leads(plugin.form, scheme, plugin.lowerings()):
            yield Case(name=f"{target}-{scheme or 'float32'}", format=target, scheme=scheme)


def _leads(form: str, scheme: str | None, lowerings: tuple[Lowering, ...]) -> bool:
    try:
        find_route(TORCH_MODULE, form, [scheme] if scheme else [], lowerings)
    except NoRoute:
        return False
    return True


def _plain(format: str) -> Case:
    return Case(name=f"{format}-float32", format=format)


_FIXTURES: Final[dict[str, Callable[[Case], bool]]] = {
    "made": lambda _: True,
    "run": lambda case: registry.load(Family.TARGETS, case.format)().runner() is not None,
    "quantized": lambda case: case.scheme is not None,
}
"""For each fixture that gives a case, which cases it gives."""


def _chosen(items: list[pytest.Item], suite: type, net: Net) -> Iterator[Case]:
    """The cases that tests of `suite` were chosen for."""
    for item in items:
        if isinstance(item, pytest.Function) and item.cls is suite and hasattr(item, "callspec"):
            pairs: Iterable[Any] = item.callspec.params.values()
            yield from (case for its_net, case in pairs if its_net == net)


def _tolerance(case: Case) -> float:
    """Of the scheme; of one that is not known here, what its lowering is held to."""
    if case.scheme is None:
        return EXACT
    lowerings: tuple[Lowering, ...] = registry.load(Family.TARGETS, case.format)().lowerings()
    own = max((edge.tolerance for edge in lowerings if edge.realises == case.scheme), default=0.0)
    return TOLERANCES.get(case.scheme, own)


def _drift(expected: list[np.ndarray], got: list[np.ndarray]) -> float:
    """The largest difference of any output, as a share of its spread."""
    pairs = zip(expected, got, strict=True)
    return max(float(np.abs(after - before).max() / np.ptp(before)) for before, after in pairs)


def _elements(end: End) -> int | None:
    """Of one sample; None where the format does not say."""
    return None if end.shape is None or -1 in end.shape[1:] else prod(end.shape[1:])


def _contents(artifact: Path) -> Iterator[tuple[str, bytes]]:
    """Each file of the artifact, and of each archive its members."""
    for file in sorted(artifact.rglob("*")) if artifact.is_dir() else [artifact]:
        if not file.is_file():
            continue
        yield file.name, file.read_bytes()
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                yield from ((f"{file.name}/{name}", archive.read(name)) for name in archive.namelist())
