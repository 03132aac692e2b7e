"""ExecuTorch programs, made for real: they say what the model says, under its names, and are the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from executorch_project import SPEC, TARGETS, Built, build_project, built

from deployspec.digests import size_bytes
from deployspec.errors import SpecFaults
from deployspec.ir.plan import SOURCE_FORMS
from deployspec.parse import parse_spec
from deployspec.targets.executorch import ExecuTorch

DRIFT = {"float32": 1e-5, "batched": 1e-5, "int8": 0.05, "int8-dynamic": 0.01}
"""How far outputs are from the eager model's, as a root mean square over their spread, at most."""


@pytest.fixture(scope="module")
def project() -> Built:
    return built()


def outputs(built: Built, step: str) -> list[np.ndarray]:
    folder = built.done(step).folder / "outputs"
    return [np.load(path) for path in sorted(folder.iterdir(), key=lambda path: int(path.stem))]


@pytest.mark.parametrize("target", TARGETS)
def test_it_says_what_the_eager_model_says(project: Built, target: str) -> None:
    expected = outputs(project, "reference@test")
    got = outputs(project, dict(project.route(target).evaluations)["test"])
    assert [each.shape for each in got] == [(24, 3), (24, 1)]
    for each, reference in zip(got, expected, strict=True):
        assert np.sqrt(np.mean((each - reference) ** 2)) <= DRIFT[target] * np.ptp(reference)
        assert len(np.unique(each.round(3), axis=0)) > 12


def test_a_batched_program_was_run_in_its_largest_batch(project: Built) -> None:
    assert [each["batch"] for each in project.evaluation("batched").facts["contract"]] == [1, 4]


@pytest.mark.parametrize("target", TARGETS)
def test_it_holds_no_path_of_the_machine_that_made_it(project: Built, target: str) -> None:
    content = project.artifact(target).read_bytes()
    assert not [
        part for part in (project.folder, "site-packages", "net.py", Path.home()) if str(part).encode() in content
    ]


def test_int8_is_little_more_than_a_third_of_float(project: Built) -> None:
    assert size_bytes(project.artifact("int8")) < size_bytes(project.artifact("float32")) * 0.4


@pytest.mark.slow
def test_a_second_build_gives_the_same_bytes(project: Built, tmp_path: Path) -> None:
    again = build_project(tmp_path / "elsewhere")
    for target in TARGETS:
        assert again.artifact(target).read_bytes() == project.artifact(target).read_bytes()


EXPORT = """\
import torch
from net import build
net = build().eval()
batch = torch.export.Dim("batch", min=1, max=4)
example = (torch.zeros(2, 5, dtype=torch.int64), torch.rand(2, 3, 8, 8))
torch.export.save(torch.export.export(net, example, dynamic_shapes=[{0: batch}, {0: batch}]), "net.pt2")
"""


@pytest.mark.slow
def test_an_exported_program_is_lowered_to_the_same_program(project: Built, tmp_path: Path) -> None:
    """Its weights come from the .pt2."""
    import subprocess
    import sys

    subprocess.run([sys.executable, "-W", "ignore", "-c", EXPORT], cwd=project.folder, check=True)
    (tmp_path / "net.pt2").write_bytes((project.folder / "net.pt2").read_bytes())
    again = build_project(tmp_path, SPEC.replace("net.py:build", "net.pt2"))
    for target in ("float32", "int8"):
        for name in ("reference@test", dict(again.route(target).evaluations)["test"]):
            for each, before in zip(outputs(again, name), outputs(project, name), strict=True):
                np.testing.assert_allclose(each, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('scheme = "int8" ', 'scheme = "float16" ', "half precision only on processors that do"),
        ('scheme = "int8" ', 'scheme = "int4-weights" ', "only with 8-bit activations"),
        ("net.py:build", "net.pt", "a TorchScript file has none"),
        ("batch_max = 4", "batch_max = 0", "at least 1"),
    ],
)
def test_what_it_does_not_take_is_told_with_its_reason(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "spec.toml").write_text(SPEC.replace(old, new))
    for name in ("net.py", "net.pt"):
        (tmp_path / name).write_text("def build(): ...")
    for split in ("test", "calibration"):
        np.savez(tmp_path / f"{split}.npz", tokens=np.zeros(1))
    with pytest.raises(SpecFaults) as caught:
        parse_spec(tmp_path / "spec.toml")
    assert any(said in fault.message for fault in caught.value.faults)


def test_no_reason_is_given_against_what_it_takes() -> None:
    taken = {each.realises for each in ExecuTorch().lowerings()} | set(ExecuTorch().lowerings()[0].takes)
    assert not taken & set(ExecuTorch.reasons)
    assert set(SOURCE_FORMS.values()) <= taken | set(ExecuTorch.reasons)
