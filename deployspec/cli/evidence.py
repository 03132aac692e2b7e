"""`deployspec evidence`: measurements made elsewhere as a document that is sound, and signed by who took them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from deployspec.cli.credentials import signing_key
from deployspec.cli.named import NamedPath
from deployspec.ir.device import MeasuredOn

if TYPE_CHECKING:
    from pathlib import Path

_EXAMPLES = """\b
Examples:
  deployspec evidence lab.json                            is it sound?
  deployspec evidence lab.json --key lab.pem --out lab.dsse.json
  deployspec evidence run-*.txt --target android --artifact digits.tflite --device pixel-8 --out android.json
\b
FILE is an evidence document (docs/evidence.md), or logs: the text of benchmark_model, the JSON of
litert-benchmark (--result_json), a CSV of samples (latency_ms, and process for more than one).
One log is one process, however many calls it timed: a verdict at 95 % takes at least 6.
"""


@click.command(epilog=_EXAMPLES)
@click.argument("files", nargs=-1, required=True, type=NamedPath(dir_okay=False), metavar="FILE…")
@click.option("--target", metavar="NAME", help="Of logs: the spec's target that was measured.")
@click.option("--artifact", type=NamedPath(), help="Of logs: the file or folder that was measured.")
@click.option("--device", metavar="NAME", help="Of logs: the device, by the name that the spec calls it.")
@click.option(
    "--class",
    "measured_on",
    type=click.Choice([each.value for each in MeasuredOn]),
    help="Of logs: what ran the artifact.  [device where --device names one, else host]",
)
@click.option("--runtime", default="", metavar="TEXT", help="Of logs: name and version of what ran the artifact.")
@click.option("--key", type=NamedPath(), help="The lab's private key (PEM, or hsm:…), to sign with.")
@click.option("--out", type=NamedPath(dir_okay=False), help="Write here.  [standard output]")
def command(
    files: tuple[Path, ...],
    target: str | None,
    artifact: Path | None,
    device: str | None,
    measured_on: str | None,
    runtime: str,
    key: Path | None,
    out: Path | None,
) -> None:
    """Check measurements made elsewhere, turn logs of benchmark tools into them, and sign them.

    What is written is what `deployspec judge --evidence` and `check --evidence` take.
    """
    from deployspec.cli.output import write_whole
    from deployspec.measure.imported import Logs, document_of, read_document, read_file
    from deployspec.wording import counted

    signing = signing_key(key)
    ran_on = MeasuredOn(measured_on) if measured_on else None
    about = Logs(target=target, artifact=artifact, device=device, evidence=ran_on, runtime=runtime)
    payload = document_of([(file, read_file(file)) for file in files], about)
    runs = len(read_document(payload, files[0]).runs)
    if signing is not None:
        from deployspec.ir.evidence_file import PAYLOAD_TYPE
        from deployspec.trust.dsse import Envelope

        payload = Envelope(payload, PAYLOAD_TYPE).signed_by(signing).to_bytes()
    if out is None:
        click.echo(payload.decode(), nl=False)
        vouched = f"signed by {signing.public.keyid}" if signing else "unsigned"
        click.echo(f"{', '.join(map(str, files))}: sound, {counted(runs, 'run')}, {vouched}", err=True)
        return
    write_whole(out, payload)
    vouched = f"signed by {signing.public.keyid}" if signing else "unsigned: it is a claim until a lab signs it"
    click.echo(f"{out}  {vouched}")
