"""Core ML packages, made for real and evaluated by the reference evaluator: what they hold and what they say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from coreml_project import (
    BATCHED,
    OF_PICTURES,
    OF_WORDS,
    PLAIN,
    PRUNED_ONES,
    build_in,
    build_spec,
    case,
    pictures,
    words,
)

from deployspec.contract import call, probe_batch, probe_files
from deployspec.digests import sha256_path, size_bytes
from deployspec.errors import SourceFault, SpecFaults
from deployspec.evaluators.mlprogram import load
from deployspec.ir.plan import SOURCE_FORMS
from deployspec.ir.structure import End
from deployspec.ir.tolerance import EXACT, TOLERANCES
from deployspec.parse import parse_spec
from deployspec.targets.coreml import CoreML
from deployspec.testing.project import NETS_FILE, PICTURES, WORDS, Built, Case, write_project

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.spec import Spec
    from deployspec.ir.structure import Structure


def named(each: Case) -> str:
    return each.name


def evaluated(made: Built, each: Case, rows: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each output what the package says to the contract's probe, `rows` at a time, and what it should say."""
    folder = made.done(made.route(each).artifact).folder
    program = load(made.artifact(each))
    inputs, outputs = ([np.load(path) for path in probe_files(folder, kind)] for kind in ("input", "output"))
    narrow = [array.astype(np.int32) if array.dtype == np.int64 else array for array in inputs]
    names = call(folder)["options"]
    answers = [
        program(**{name: array[i : i + rows] for name, array in zip(names["inputs"], narrow, strict=True)})
        for i in range(0, len(inputs[0]), rows)
    ]
    return [
        (np.concatenate([answer[name] for answer in answers]), expected)
        for name, expected in zip(names["outputs"], outputs, strict=True)
    ]


def scheme(each: Case) -> str:
    return each.name.removeprefix("pruned-").rpartition("-")[0]


def kinds(structure: Structure) -> set[str]:
    return {kind for kind, _ in structure.weight_bytes}


@pytest.mark.parametrize("each", OF_PICTURES, ids=named)
def test_it_says_what_the_model_says(each: Case) -> None:
    hold_answers(pictures(), each)


@pytest.mark.parametrize("each", OF_WORDS, ids=named)
def test_it_says_what_a_model_of_several_ends_says(each: Case) -> None:
    hold_answers(words(), each)


def hold_answers(made: Built, each: Case) -> None:
    tolerance = TOLERANCES.get(scheme(each), EXACT)
    for got, expected in evaluated(made, each):
        assert got.dtype == expected.dtype == np.float32
        assert np.abs(got - expected).max() <= tolerance * np.ptp(expected)
        assert len(np.unique(got.round(3), axis=0)) > 8


@pytest.mark.parametrize("each", OF_PICTURES, ids=named)
def test_it_asks_for_the_system_that_was_named(each: Case) -> None:
    assert pictures().structure(each).minimum == each.name.rpartition("-")[2]


def test_inputs_and_outputs_are_those_of_the_spec_and_integers_narrow() -> None:
    structure = words().structure(case("iOS16", "int8-weights"))
    assert structure.inputs == (
        End(name="tokens", shape=(1, 4), dtype="int32"),
        End(name="facts", shape=(1, 6), dtype="float32"),
    )
    assert structure.outputs == (
        End(name="topics", shape=(1, 3), dtype="float32"),
        End(name="age", shape=(1, 1), dtype="float32"),
    )


def test_a_batch_is_open_where_it_was_asked_for() -> None:
    made = words()
    structure = made.structure(BATCHED)
    assert [each.shape for each in (*structure.inputs, *structure.outputs)] == [(-1, 4), (-1, 6), (-1, 3), (-1, 1)]
    assert structure.macs == WORDS.macs
    assert probe_batch(made.done(made.route(BATCHED).artifact).folder) == 4
    for got, expected in evaluated(made, BATCHED, rows=4):
        assert np.abs(got - expected).max() <= TOLERANCES["float16"] * np.ptp(expected)


@pytest.mark.parametrize(
    ("each", "stored"),
    [
        (case("iOS15"), {"float32"}),
        (case("iOS15", "float16"), {"float16"}),
        (case("iOS16", "int8-weights"), {"uint8", "float16"}),
        (case("iOS17", "int8"), {"int8", "float16"}),
        (case("iOS18", "int4-weights"), {"int4", "int8", "float16"}),
        (case("iOS18", "palette-8"), {"palette-8", "float16"}),
        (case("iOS18", "palette-6"), {"palette-6", "float16"}),
        (case("iOS16", "palette-4"), {"palette-4", "float16"}),
        (case("iOS16", pruned=True), {"sparse-float32", "float32"}),
        (case("iOS16", "float16", pruned=True), {"sparse-float16", "float16"}),
        (case("iOS18", "int8-weights", pruned=True), {"sparse-int8", "float16"}),
        (case("iOS18", "int4-weights", pruned=True), {"sparse-int4", "int8", "float16"}),
        (case("iOS18", "palette-6", pruned=True), {"sparse-palette-6", "float16"}),
    ],
    ids=lambda value: value.name if isinstance(value, Case) else "",
)
def test_weights_are_stored_as_the_scheme_says(each: Case, stored: set[str]) -> None:
    """Small ones and biases stay in float; what no block of 32 fills goes to 8 bits rather than 4."""
    assert kinds(pictures().structure(each)) == stored


def test_fewer_bits_are_fewer_bytes() -> None:
    order = [None, "float16", "palette-8", "palette-6", "palette-4"]
    minimum = {None: "iOS18", "float16": "iOS15"}
    sizes = [size_bytes(pictures().artifact(case(minimum.get(each, "iOS18"), each))) for each in order]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 4


@pytest.mark.parametrize("each", PRUNED_ONES, ids=named)
def test_every_zero_of_a_pruned_model_stays_zero(each: Case) -> None:
    """Whatever stores it; k-means alone would move zeros together with their neighbours."""
    structure = pictures().structure(each)
    assert structure.kernel_zeros / structure.kernel_elements == pytest.approx(0.6, abs=0.01)
    assert structure.parameters == PICTURES.parameters


@pytest.mark.parametrize(
    ("minimum", "scheme"),
    [("iOS18", "int8"), ("iOS18", "int8-weights"), ("iOS18", "int4-weights"), ("iOS18", "palette-6")],
)
def test_zeros_are_left_out_of_the_file(minimum: str, scheme: str) -> None:
    made = pictures()
    pruned, dense = (case(minimum, scheme, pruned=pruned) for pruned in (True, False))
    assert size_bytes(made.artifact(pruned)) < size_bytes(made.artifact(dense)) * 0.85
    assert not made.structure(pruned).findings


@pytest.mark.parametrize(
    "each",
    [case("iOS15", pruned=True), case("iOS16", "int8-weights", pruned=True), case("iOS16", "palette-4", pruned=True)],
    ids=named,
)
def test_zeros_that_an_older_system_must_store_are_told(each: Case) -> None:
    structure = pictures().structure(each)
    assert not any(kind.startswith("sparse") for kind in kinds(structure))
    assert any("are zeros that take as much space as others" in finding for finding in structure.findings)


def test_float32_is_told_to_miss_the_neural_engine_and_float16_is_not() -> None:
    structures = [pictures().structure(each) for each in (case("iOS15"), case("iOS15", "float16"))]
    assert [len(each.findings) for each in structures] == [1, 0]
    (told,) = structures[0].findings
    assert told.startswith("convolutions and products in float32 (")
    assert "and 3 more): the Neural Engine does not take them" in told


@pytest.mark.parametrize("each", PLAIN, ids=named)
def test_nothing_tells_of_the_machine_or_the_day(each: Case) -> None:
    made = pictures()
    for path in made.artifact(each).rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for trace in (str(made.spec.folder), "site-packages", "nets.py", "conversion_date"):
            assert trace.encode() not in content


@pytest.mark.slow
def test_a_second_build_elsewhere_gives_the_same_bytes(tmp_path: Path) -> None:
    chosen = (case("iOS17", "int8"), case("iOS16", "palette-4"), case("iOS18", "int4-weights", pruned=True), BATCHED)
    again = build_in(tmp_path / "else where", WORDS, chosen)
    for each in chosen:
        assert sha256_path(again.artifact(each)) == sha256_path(words().artifact(each))


def test_a_name_that_core_ml_would_change_is_refused(tmp_path: Path) -> None:
    odd = replace(PICTURES, ends=PICTURES.ends.replace('"logits"', '"the-logits"'))
    with pytest.raises(SourceFault, match="Core ML calls the outputs the_logits where the spec says the-logits"):
        build_in(tmp_path, odd, (case("iOS16"),))


@pytest.mark.parametrize(
    ("each", "said", "help"),
    [
        (case("iOS17", "int4-weights"), "blocks of 4-bit weights came with iOS 18", 'minimum = "iOS18"'),
        (case("iOS16", "int8"), "activations in 8 bits came with iOS 17", 'minimum = "iOS17"'),
        (case("iOS15", "palette-4"), "weights in fewer bits came with iOS 16", 'minimum = "iOS16"'),
        (case("iOS18", "int8-dynamic"), "no operators that quantize activations anew", ""),
        (case("iOS16", options="batch_max = 0"), "at least 1", ""),
        (case("iOS14"), "iOS14", ""),
    ],
    ids=lambda value: value.name if isinstance(value, Case) else "",
)
def test_what_the_minimum_has_not_is_refused_before_any_work(tmp_path: Path, each: Case, said: str, help: str) -> None:
    with pytest.raises(SpecFaults) as caught:
        write_project(tmp_path / "project", PICTURES, [each])
    (fault,) = caught.value.faults
    assert said in fault.message
    assert help in fault.message


def test_no_reason_is_given_against_what_it_takes() -> None:
    lowerings = CoreML(minimum="iOS18").lowerings()
    taken = {f"{each.realises} from {form}" for each in lowerings for form in each.takes}
    assert not taken & set(CoreML.reasons)
    forms = {form for each in lowerings for form in each.takes}
    assert forms >= set(SOURCE_FORMS.values())


PT2 = """\
import torch
from nets import words
net, example = words().eval(), (torch.zeros(2, 4, dtype=torch.int64), torch.rand(2, 6))
batch = torch.export.Dim("batch", min=1, max=8)
torch.export.save(torch.export.export(net, example, dynamic_shapes=[{0: batch}, {0: batch}]), "open.pt2")
one = tuple(each[:1] for each in example)
torch.export.save(torch.export.export(net, one), "one.pt2")
torch.jit.save(torch.jit.trace(net, one), "traced.pt")
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network as an exported program, with its batch open and fixed, and as TorchScript."""
    folder = tmp_path_factory.mktemp("files")
    shutil.copy(NETS_FILE, folder)
    subprocess.run([sys.executable, "-W", "ignore", "-c", PT2], cwd=folder, check=True)
    return folder


def of_file(file: Path, folder: Path, *cases: Case) -> Spec:
    """A project whose source is the file."""
    write_project(folder, WORDS, cases)
    shutil.copy(file, folder)
    text = (folder / "spec.toml").read_text()
    (folder / "spec.toml").write_text(text.replace("nets.py:words", file.name))
    return parse_spec(folder / "spec.toml")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["open.pt2", "traced.pt"])
def test_an_exported_program_and_torchscript_are_lowered_too(files: Path, tmp_path: Path, name: str) -> None:
    made = build_spec(of_file(files / name, tmp_path / "project", case("iOS18"), BATCHED), tmp_path / "store")
    for each in (case("iOS18"), BATCHED):
        hold_answers(made, each)
    assert made.structure(BATCHED).inputs[0].shape == (-1, 4)


@pytest.mark.slow
def test_a_program_exported_for_one_sample_takes_no_batch(files: Path, tmp_path: Path) -> None:
    spec = of_file(files / "one.pt2", tmp_path / "project", BATCHED)
    with pytest.raises(SourceFault, match=r"one\.pt2 takes no batch of 2 .*leave out batch_max"):
        build_spec(spec, tmp_path / "store")


def test_activations_of_a_file_are_not_quantized(tmp_path: Path) -> None:
    file = tmp_path / "net.pt2"
    file.write_bytes(b"PK")
    with pytest.raises(SpecFaults) as caught:
        of_file(file, tmp_path / "project", case("iOS18", "int8"))
    assert "this source brings none" in caught.value.faults[0].message


def test_the_manifest_names_its_parts_alike_every_time() -> None:
    manifests = [made.artifact(case("iOS18")) / "Manifest.json" for made in (pictures(), words())]
    first, second = (json.loads(path.read_text()) for path in manifests)
    assert first == second
