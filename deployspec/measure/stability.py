"""Stability: whether an artifact behaves on every legal input, and says the same when it is asked again.

Two processes answer the same calls, twice each: every case alone, then in batches of each size that the artifact
takes. The reference answers the cases too, so that a report can tell an artifact's fault from its model's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec import contract
from deployspec.ir import codec
from deployspec.ir.evidence import Check, Measurement, Promise, Stability
from deployspec.measure.asking import ask, ask_artifact, split_files, together
from deployspec.measure.cases import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from deployspec.ir.artifact import Done, Job
    from deployspec.ir.evidence import EvidenceClass

    Rows = list[int]
    Answer = dict[str, Any]
    """What `deployspec.runners.steadiness` tells of one call."""

PROCESSES: Final = ("first", "second")
ROUNDS: Final = 2

EVERY_BATCH: Final = 16
"""Up to so many samples together, batches of every size are tried; beyond, powers of two and the largest."""

_ASKED_OF_THE_REFERENCE: Final = (Promise.ANSWERS, Promise.FINITE, Promise.REPEATS)


def watch_reference(job: Job) -> dict[str, Any]:
    """A step: let the eager source answer each case of the role "data" alone, twice; what it says is `only.jsonl`."""
    request = {"artifact": "source", "options": job.source, "tasks": [_task(job, "only", _alone(job))]}
    return together(job, ask(job, request, {"source": job.inputs["model"]} | split_files(job)))


def watch_artifact(job: Job) -> dict[str, Any]:
    """A step: hold the artifact to each promise; facts: runtime, the statistic, and a remark for each that is broken.

    Roles: "artifact", "data" (the cases), "reference" (what it says of them). The cases of the first call that broke
    a promise are kept as `broken-<i>.npy`. Raises ContractBroken when the runner itself did not finish.
    """
    sizes = _batch_sizes(contract.probe_batch(job.inputs["artifact"]))
    calls = [rows for size in sizes for rows in _calls(_alone(job), size)]
    lines = ask_artifact(job, [_task(job, name, calls) for name in PROCESSES], split_files(job))
    said = [_said(job.out, *each) for each in zip(PROCESSES, lines[1:], strict=True)]
    looks = list(_looks(calls, said, _forms(job)))
    _keep_first(job, looks)
    names = json.loads((job.inputs["data"] / NAMES).read_text())
    reference = _said(job.inputs["reference"], "only", {})
    checks = tuple(_check(look, names, reference) for look in looks)
    statistic = Stability(checks=checks, inputs=tuple(names), batches=tuple(sizes))
    remarks = [f"broke '{each.promise}', first with {each.first}" for each in checks if each.broken]
    return together(job, lines) | {"stability": codec.encode(statistic), "remarks": remarks}


def measure_stability(target: str, watched: Done, evidence: EvidenceClass) -> Measurement:
    """The measurement "stable" of one target, in one mode of its runner."""
    return Measurement(
        target=target,
        name="stable",
        statistic=codec.decode(Stability, watched.facts["stability"], "stability"),
        evidence=evidence,
        runtime=watched.facts["runtime"],
        samples_sha256=watched.sha256,
    )


def _batch_sizes(most: int) -> list[int]:
    powers = [2**i for i in range(most.bit_length())]
    return sorted({*range(1, min(most, EVERY_BATCH) + 1), *powers, most})


def _alone(job: Job) -> list[Rows]:
    """A call for each case."""
    return [[row] for row in range(len(np.load(job.inputs["data"] / "0.npy", mmap_mode="r")))]


def _calls(alone: list[Rows], size: int) -> Iterator[Rows]:
    """Calls of `size` cases that together hold every case; the last is filled with the first ones again."""
    n = len(alone)
    return ([row % n for row in range(start, start + size)] for start in range(0, n, size))


def _task(job: Job, name: str, calls: list[Rows]) -> dict[str, Any]:
    inputs, out = list(split_files(job)), f"out/{name}.jsonl"
    return {"task": "watch", "inputs": inputs, "out": out, "calls": calls, "rounds": ROUNDS, "may_fail": True}


def _said(folder: Path, name: str, line: dict[str, Any]) -> list[Answer]:
    """What a process said of its calls, as far as it came; how it ended, where it did, is said of the next one."""
    file = folder / f"{name}.jsonl"
    answers = [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []
    return [*answers, {"error": line["failed"]}] if "failed" in line else answers


def _forms(job: Job) -> list[list[Any]]:
    """Of each output the dtype, and the shape of a sample, as recorded when the artifact was made."""
    recorded = (np.load(path, mmap_mode="r") for path in contract.probe_files(job.inputs["artifact"], "output"))
    return [[str(each.dtype), *each.shape[1:]] for each in recorded]


@dataclass(frozen=True)
class _Look:
    """How many calls were held to a promise; the rows of each that broke it, and how."""

    promise: Promise
    calls: int
    broken: Sequence[tuple[Rows, str]]


def _looks(calls: list[Rows], said: Sequence[list[Answer]], forms: list[list[Any]]) -> Iterator[_Look]:
    told = [each for answers in said for each in zip(calls * ROUNDS, answers, strict=False)]  # a crash cuts it short
    answered = [(rows, answer) for rows, answer in told if "error" not in answer]
    yield _Look(Promise.ANSWERS, len(told), [(rows, answer["error"]) for rows, answer in told if "error" in answer])
    infinite = [(rows, "NaN or Inf") for rows, answer in answered if not answer["finite"]]
    yield _Look(Promise.FINITE, len(answered), infinite)
    strange = ((rows, _strange(answer["forms"], forms, len(rows))) for rows, answer in answered)
    yield _Look(Promise.FORM, len(answered), [each for each in strange if each[1]])
    again = [(answers, answers[len(calls) :]) for answers in said]
    yield _compared(Promise.REPEATS, calls, again, "another answer the second time")
    elsewhere = [(said[0], other) for other in said[1:]]
    yield _compared(Promise.PROCESSES, calls, elsewhere, "another answer in another process")


def _strange(found: list[list[Any]], forms: list[list[Any]], size: int) -> str:
    """How the outputs of a batch differ in form from what is expected; empty where they do not."""
    wanted = [[dtype, size, *tail] for dtype, *tail in forms]
    was, now = (", ".join(f"{dtype}{shape}" for dtype, *shape in each) for each in (wanted, found))
    return "" if found == wanted else f"{now or 'nothing'} where {was} is due"


def _compared(
    promise: Promise, calls: list[Rows], pairs: Iterable[tuple[list[Answer], list[Answer]]], how: str
) -> _Look:
    both = [
        (rows, one["sha256"] == other["sha256"])
        for first, second in pairs
        for rows, one, other in zip(calls, first, second, strict=False)
        if "sha256" in one and "sha256" in other
    ]
    return _Look(promise, len(both), [(rows, how) for rows, same in both if not same])


def _keep_first(job: Job, looks: Sequence[_Look]) -> None:
    """Keep the inputs of the first call that broke a promise, as they were given."""
    rows = next((look.broken[0][0] for look in looks if look.broken), None)
    for i in range(len(job.model.inputs)) if rows else ():
        np.save(job.out / f"broken-{i}.npy", np.load(job.inputs["data"] / f"{i}.npy")[rows])


def _check(look: _Look, names: Sequence[str], reference: list[Answer]) -> Check:
    if not look.broken:
        return Check(promise=look.promise, calls=look.calls)
    rows, how = look.broken[0]
    where = names[rows[0]] if len(rows) == 1 else f"{len(rows)} samples together, from '{names[rows[0]]}' on"
    first = f"{where}: {how}{_of_the_reference(look.promise, rows, len(names), reference)}"
    return Check(promise=look.promise, calls=look.calls, broken=len(look.broken), first=first)


def _of_the_reference(promise: Promise, rows: Rows, cases: int, reference: list[Answer]) -> str:
    """Whether the reference breaks the promise on these cases too, as far as that is known."""
    if promise not in _ASKED_OF_THE_REFERENCE or len(reference) < ROUNDS * cases:
        return ""
    looks = {look.promise: look for look in _looks([[row] for row in range(cases)], [reference], [])}
    too = any(row in broken for broken, _ in looks[promise].broken for row in rows)
    return "; so does the reference" if too else "; the reference does not"
