"""A check that gets measurements of its artifacts from elsewhere: the better evidence decides, and both are shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from evidence_files import as_bytes, document, run, timed
from programs import Ran, deployspec
from projects import Project, write_project
from sample_reports import DSSE_KEY

from deployspec.ir.evidence_file import PAYLOAD_TYPE
from deployspec.trust import dsse, keys

if TYPE_CHECKING:
    from pathlib import Path

TRUST = """trust = 1
threshold = 1

[keys.lab]
file = "lab.pub.pem"
roles = ["lab"]

[keys.release]
file = "release.pub.pem"
roles = ["release"]
"""
FAST = timed("5", "5.1", "5.2", "4.9", "5", "5.3")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A target that names a device, checked once here, where there is none."""
    project = write_project(tmp_path_factory.mktemp("phone"))
    project.edit(
        ('size = "< 1 MB"', 'size = "< 1 MB"\nlatency_p95 = "< 10 ms"'),
        ('format = "torchscript"', 'format = "torchscript"\ndevice = "pixel-8"'),
    )
    (project.folder / "lab.pub.pem").write_bytes(DSSE_KEY.public.pem)
    (project.folder / "release.pub.pem").write_bytes(keys.generate().public.pem)
    project.write("trust.toml", TRUST)
    ran = check(project, "first")
    assert ran.code == 3, ran.said
    return project


def check(project: Project, out: str, *more: str) -> Ran:
    return deployspec("check", str(project.spec), "--out", str(project.folder / out), *more)


def predicate(project: Project, out: str) -> dict[str, Any]:
    envelope = dsse.read((project.folder / out / "report.dsse.json").read_bytes())
    found: dict[str, Any] = json.loads(envelope.payload)["predicate"]
    return found


def artifact(project: Project) -> dict[str, Any]:
    target = predicate(project, "first")["targets"][0]
    found: dict[str, Any] = target["artifact"]
    return found


def handed_in(project: Project, **changes: Any) -> tuple[str, ...]:
    """Options that hand in what the device measured, signed by the lab."""
    figures = run("server", sha256=artifact(project)["sha256"], **FAST) | changes
    envelope = dsse.Envelope(as_bytes(document(figures)), PAYLOAD_TYPE).signed_by(DSSE_KEY)
    (project.folder / "lab.dsse.json").write_bytes(envelope.to_bytes())
    return "--evidence", str(project.folder / "lab.dsse.json"), "--trust", str(project.folder / "trust.toml")


def test_without_a_device_its_latency_is_not_measured(project: Project) -> None:
    latency = predicate(project, "first")["verdicts"][1]
    assert (latency["verdict"], latency["evidence"]) == ("not_measured", "host")


def test_the_devices_figure_decides_beside_what_was_measured_here(project: Project) -> None:
    ran = check(project, "second", *handed_in(project, sizeBytes=size_of(project)))
    assert ran.code == 0, ran.said
    report = predicate(project, "second")
    size, latency = report["verdicts"]
    assert (latency["verdict"], latency["evidence"], latency["estimate"]) == ("pass", "device", "5.05")
    assert "; host evidence says " in latency["reason"]
    assert (size["evidence"], [each["source"] for each in report["measurements"] if each["name"] == "size"]) == (
        "static",
        [""],
    )
    assert f"signed by {DSSE_KEY.public.keyid}" in " ".join(report["findings"])
    verified = deployspec("verify", str(project.folder / "second"), "--allow-unsigned")
    assert verified.code == 0, verified.out


def size_of(project: Project) -> int:
    file: Path = project.folder / "first" / "artifacts" / "server" / artifact(project)["name"]
    return file.stat().st_size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"artifact": {"name": "other.ts", "sha256": "1" * 64}}, "/runs/0/artifact/sha256: the artifact of target"),
        ({"sizeBytes": 1}, "/runs/0/sizeBytes: the artifact with this digest has"),
        ({"agreement": [{"hits": 61, "n": 61}]}, "/runs/0/agreement/0: it is of 61 samples, and the test split has 60"),
    ],
)
def test_evidence_of_other_bytes_or_other_samples_is_refused(
    project: Project, changes: dict[str, Any], message: str
) -> None:
    ran = check(project, "third", *handed_in(project, **changes))
    assert ran.code == 2, ran.said
    assert message in ran.said
    assert not (project.folder / "third" / "report.dsse.json").exists()
