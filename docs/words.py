"""What the code has no words for: the meaning of each key of a spec and of each field of a report."""

from __future__ import annotations

from typing import Final

from deployspec.ir import data, evidence, evidence_file, model, report, spec, verdict
from deployspec.ir.plan import Action
from deployspec.parse import document

KEYS: Final[dict[str, tuple[type, dict[str, str]]]] = {
    "[model]": (
        model.Model,
        {
            "name": "the artifact files carry it",
            "version": "the model's own version, for the report",
            "source": "`file.py:callable`, or one self-contained file; see [Sources](#sources)",
            "framework": "what a callable returns; a file says it by its kind",
            "weights": "of a callable: `.safetensors`, a state_dict loaded with `weights_only`; Keras: `.weights.h5`",
            "sha256": "pins `weights`, else the source's file; another digest is exit 5 before anything runs",
            "inputs": "`[[model.inputs]]`, in the order of the model's arguments",
            "outputs": "`[[model.outputs]]`; may be left out where there is one",
        },
    ),
    "[[model.inputs]]": (
        model.Input,
        {
            "name": "also the name of its array in a split that holds several",
            "shape": "the first entry is the batch; text is a symbolic dimension",
            "dtype": "of what the model takes",
            "range": "legal values after preprocessing; samples outside are counted in the report",
            "preprocess": "how stored samples become the model's, alike for the reference and every artifact",
        },
    ),
    "preprocess": (
        model.Preprocess,
        {
            "scale": "a stored sample becomes `(x · scale − mean) / std`",
            "mean": "one number, or one a channel",
            "std": "one number, or one a channel; never 0",
            "layout": "layout of the stored samples, where it differs from the model's",
        },
    ),
    "[[model.outputs]]": (
        model.Output,
        {"name": "budgets and the contract speak of it by this name", "kind": "what the numbers are"},
    ),
    "[task]": (
        spec.TaskTable,
        {
            "kind": "what the scored output means: it decides what `y` is and which budgets there are",
            "output": "the output that is scored; required where there are several",
            "labels": "the classes, in the order of the outputs",
            "positive": "binary: the class that a bare `recall`, `precision` or `f1` speaks of",
            "threshold": "binary: on the positive class's probability; multilabel: on each label's",
            "tolerance": "values: each agrees within this share of its own spread over the split",
        },
    ),
    "[metrics.NAME]": (
        spec.Metric,
        {
            "source": "`file.py:callable`: called with the scored output and `y`, it returns a number for each sample",
            "better": "`lower` gives the budgets NAME and NAME_rise, `higher` NAME and NAME_drop",
            "aggregate": "how per-sample scores become one figure",
        },
    ),
    "[data]": (
        data.Data,
        {
            "train": "what the model learned from",
            "calibration": "static quantization takes its ranges from it; its first 16 samples, of large ones down to "
            "4, probe every artifact",
            "tuning": "for choosing among candidates",
            "test": "every quality figure is taken on it",
            "field": "captured where the model runs; budgets name it as `field.NAME`",
        },
    ),
    "[evidence]": (
        document.EvidenceTable,
        {
            "confidence": 'one-sided, in [0.5, 1); `"point"` compares bare estimates, and the report says so',
            "quality": "the least class that counts; `host` by itself, for Core ML `reference`",
            "latency": "the least class that counts; an emulator never does",
            "memory": "the least class that counts; an emulator never does",
            "energy": "the least class that counts; an emulator never does",
            "accept": "`claimed` takes [evidence handed in](evidence.md) unsigned, and the report says so",
            "churn_noise": "the standard deviation of the noise that `churn` adds, as a share of each input's spread",
            "min_support": "fewer test samples of a class make its figures inconclusive",
            "seed": "of every draw: probes and resampled bounds",
        },
    ),
    "[report]": (
        document.ReportTable,
        {"valid": 'how long the report holds, e.g. `"90 d"` (s, min, h, d); without it, no end'},
    ),
    "[policy]": (
        document.PolicyTable,
        {"extends": "policies that this spec may tighten and never loosen: packaged ones or paths"},
    ),
    "[targets.NAME]": (
        document.TargetTable,
        {
            "format": "what ships; each format adds [options of its own](#formats-and-passes)",
            "device": "the device that must measure; [evidence](evidence.md) of class `device` must name it",
            "time_limit": 'of each step, and of timing this target (s, min, h, d)',
            "sustained": "how long each of six processes calls on end for `sustained_slowdown`, after a rest as long",
            "passes": "`{ pass = NAME, … }` in order",
            "budgets": "laid over the common `[budgets]`, key by key",
        },
    ),
    "[[waivers]]": (
        document.WaiverTable,
        {
            "target": "its name",
            "budget": "one budget, spelled as reports do: `recall.3`, `field.accuracy_drop`",
            "reason": "why it is accepted",
            "approver": "who accepts it",
            "expires": "holds through the end of that day, UTC",
        },
    ),
}  # fmt: skip
"""Every table of the language: the class that the parser reads it with, and what each key means."""

PREDICATE: Final[dict[str, tuple[type, dict[str, str]]]] = {
    "The predicate": (
        report.Report,
        {
            "result": "`passed`, `failed` or `unproven`: what the verdicts together mean",
            "model": "`[model] name`",
            "model_version": "`[model] version`",
            "spec": "the spec's file name and the digest of its bytes",
            "sources": "the model's files by their path in the project, weights first; of a callable all it imports",
            "data": "the files of each split, `SPLIT: FILE`, likewise; of code also what it yields, `SPLIT: FILE:NAME`",
            "policies": "each policy that the spec extends, with the digest of its bytes",
            "targets": "what was promised, and how it was to be proven",
            "measurements": "the evidence, as statistics that suffice to judge it again",
            "verdicts": "one for each budget of each target, in order",
            "waivers": "every waiver of the spec, used or not",
            "steps": "each step of the plan as it ran",
            "tools": "`[name, version]` of deployspec and of every distribution that a step ran on",
            "machine": "the facts of the machine that checked",
            "findings": "remarks, a line each; they decide nothing",
            "checked_at": "RFC 3339 in UTC, to the second, with a `Z`",
            "expires_at": "likewise; empty: no end",
            "left_out": "targets of the spec that `--target` left out",
            "imports": "each run of an [evidence file](evidence.md) that others handed in",
        },
    ),
    "`targets[]`": (
        report.TargetReport,
        {
            "name": "as in the spec",
            "format": "as in the spec",
            "budgets": "each with `metric`, `label`, `onField`, `limit` (`comparator`, `limit` in the base unit, "
            "`relative`, `text`), `good`, `ceiling`, `dimension`",
            "rules": "`confidence` (null: point), `least` class for each kind of evidence, `minSupport`, `seed`, "
            "`acceptClaimed`",
            "steps": "ids of its steps",
            "artifact": "the file's or folder's bare name and digest; null when it could not be built",
            "failure": "why it could not be built, else empty",
            "folder": "whether the artifact is a folder: its digest is that of its manifest",
            "device": "the device that the spec names, else empty",
        },
    ),
    "`measurements[]`": (
        evidence.Measurement,
        {
            "target": "the target's name",
            "name": "what budgets are [measured from](spec.md#every-budget)",
            "statistic": "its `kind` tells its form, below",
            "evidence": "[the class](judging.md#evidence-classes)",
            "split": "`test` or `field`, where data decides it",
            "runtime": "name and version of what ran the artifact",
            "samples_sha256": "digest of the raw samples, which stay in the store",
            "measured_at": "when timing began, else empty",
            "note": "e.g. that earlier timings were used again",
            "source": "digest of the evidence file that it was handed in with; empty: measured by this check",
            "variant": "another way of counting the same figure, e.g. `without near-duplicates`; else empty",
        },
    ),
    "`imports[]`": (
        report.Import,
        {
            "file": "name of the evidence file, and the digest of its bytes",
            "signers": "key ids of the trusted labs that signed it; none: it is only claimed",
            "target": "the target that was measured",
            "artifact": "the artifact that was measured, by the file's word",
            "stated": "the class of evidence, by the file's word",
            "folder": "whether the artifact is a folder",
            "device": "`name`, and `model`, `system`, `processor` where they are told; null where none is named",
            "note": "the file's remark",
        },
    ),
    "`verdicts[]`": (
        verdict.Verdict,
        {
            "target": "the target's name",
            "budget": "`size`, `recall.3`, `field.accuracy_drop`",
            "verdict": "`pass`, `warn`, `fail`, `inconclusive`, `not_measured` or `waived`",
            "comparator": "`<`, `<=`, `>` or `>=`",
            "limit": "the limit as the spec writes it, without its comparator",
            "unit": "the base unit of the figures: bytes, ms, mJ; shares and drops are fractions, scores bare numbers",
            "reason": "one sentence for a reader; verify does not compare it",
            "estimate": "the figure itself, to six decimals, a small score to six digits; null when there is none",
            "lower": "one-sided bound at the stated confidence, rounded outward; null for a census or a point",
            "upper": "likewise",
            "good": "the inner band with its own comparator, else empty",
            "n": "samples, or processes; null for a census",
            "evidence": "the class of the evidence; null when there is none",
            "waived": "the outcome that a waiver covers, else null",
        },
    ),
    "`steps[]`": (
        report.StepRecord,
        {
            "id": "e.g. `tflite.int8@test`",
            "takes": "ids of the steps it takes; `model` and `data:SPLIT` stand for the files",
            "gives": "the form of what it writes",
            "result": "`built`, `cached` or `failed`",
            "seconds": "wall time when it was built",
            "reason": "why it failed",
            "contract": "what the artifact was held to; null where the step holds none",
        },
    ),
    "`steps[].contract`": (
        report.Contract,
        {
            "tolerance": "the largest difference that was allowed, in units of the output's spread (maximum - minimum)",
            "found": "one for each way that the contract's probe was run; empty where the step failed",
        },
    ),
    "`steps[].contract.found[]`": (
        report.Deviation,
        {
            "batch": "samples that were run together",
            "difference": "the largest, from the answers of what made the artifact, in units of the output's spread",
            "rms": "its root mean square, likewise",
            "agreement": "the share of equal decisions; null where outputs are values",
        },
    ),
}
"""The report's parts, in the order of the reference."""

EVIDENCE: Final[dict[str, tuple[type, dict[str, str]]]] = {
    "The document": (
        evidence_file.EvidenceFile,
        {"deployspec_evidence": "the document's version, 1", "runs": "each of one artifact in one place"},
    ),
    "`runs[]`": (
        evidence_file.Run,
        {
            "target": "the spec's target that was measured",
            "artifact": "`name` without a folder, `sha256` of its bytes; of a `folder`: true, that of its manifest",
            "evidence": "what ran it: `device`, `emulator`, `host` or `reference`",
            "device": "`name` as the spec's `device` says it, and `model`, `system`, `processor` for readers; required "
            "for `device` and `emulator`",
            "runtime": "name and version of what ran the artifact",
            "measured_at": "`2026-01-31T12:00:00Z`",
            "size_bytes": "what ships: the file, or the sum of the folder's files",
            "reference_bytes": "what the reference's parameters and buffers take: gives `size_reduction`",
            "quality": "decisions over labelled samples, one table a split",
            "outcomes": "`both`, `broken`, `repaired`, `neither` and the `split`, where no class is told",
            "agreement": "`hits` of `n` samples on which the artifact decides as the reference does, and the `split`",
            "processes": "one object for each fresh process, in the order they ran",
            "note": "a remark that the report repeats",
        },
    ),
    "`quality[]`": (
        evidence_file.Quality,
        {
            "labels": "the classes of the spec's task",
            "confusion": "`confusion[i][j]` counts samples of class i that the artifact called class j",
            "reference_confusion": "likewise for the reference, over the same samples",
            "paired": "for each class `both`, `broken`, `repaired`, `neither`: right by both models, lost, gained, "
            "wrong by both",
            "rejected": "likewise over the samples of all other classes, right meaning *not called so*",
            "top5": "samples whose class is among the artifact's five best, of six classes or more",
            "n": "all samples, to be held against the matrix",
            "split": "`test` or `field`",
        },
    ),
    "`processes[]`": (
        evidence_file.Process,
        {
            "calls_ms": "every timed call, warm",
            "calls": "in its place the number of warm calls, beside their percentiles",
            "p50_ms": "nearest rank; needs 50 calls",
            "p90_ms": "needs 50 calls",
            "p95_ms": "needs 100 calls",
            "p99_ms": "needs 1,000 calls",
            "max_ms": "the slowest call; shown only",
            "load_ms": "from the file's bytes to a model that can be called",
            "first_call_ms": "of the first call after loading; with `loadMs` it gives `cold_start`",
            "memory_peak_bytes": "peak resident memory above what was held before loading",
            "energy_mj": "of one call, above idle, from a counter that measures",
            "quarters_ms": "the median call of the first and of the last quarter of a sustained run",
            "pairs_ms": "`[artifact, baseline]` for each pair of interleaved calls, 50 or more; those 2 % (at least 5) "
            "that were quickest as a whole give `latency_reduction`",
            "contended": "whether others disturbed it",
        },
    ),
}
"""The document of evidence that others hand in, part by part."""

STATISTICS: Final[dict[type, str]] = {
    evidence.Count: "a census figure",
    evidence.Reduction: "a census figure before and after, in one unit: 1 − after / before",
    evidence.Share: "`hits` of `n` independent samples",
    evidence.Classified: "decisions of reference and artifact over one labelled split",
    evidence.Joint: "joint outcomes over one labelled split, with nothing known class by class",
    evidence.Multilabel: "decisions for each of several labels a sample, right meaning (not) called",
    evidence.Scores: "a score of each sample, or of each `block` of them, for both models",
    evidence.Processes: "one figure for each fresh process, in the order they ran",
    evidence.Stability: "how the artifact behaved on inputs from all over the legal range",
    evidence.Churn: "decisions under noise; of the joint outcomes, *right* is an unchanged one",
    evidence.Drift: "how the field's inputs differ from the test split's, feature by feature",
    evidence.Operators: "how often the artifact holds each operator; shown, never judged",
    evidence.NotMeasured: "the figure could not be had",
}
"""Every form of a statistic."""

PLAN: Final = {
    "deployspecPlan": "the form's number, 1; within one number fields are only added",
    "model": "`name`, `version`, `source` (the kind of source)",
    "steps[].id": "what other fields call it; `model` stands for the source itself, which no step makes",
    "steps[].action": f"the kind of work: {', '.join(f'`{each}`' for each in Action)}",
    "steps[].takes": "role to the id of the step that fills it",
    "steps[].gives": "the form of what it writes",
    "steps[].options": "what it is told, beside what it takes",
    "steps[].toolchain": "the name of what it runs on",
    "steps[].targets": "whom it is made for; empty: for all",
    "targets[].name": "as in the spec",
    "targets[].format": "as in the spec",
    "targets[].steps": "those that make, read and run the artifact, in order",
    "targets[].artifact": "the step that makes it",
    "targets[].structure": "the step that reads what is in it",
    "targets[].evaluations": "split to the step that runs the artifact on it; of several arithmetics the last",
    "targets[].baseline": "what `latency_reduction` compares with: a step, `model`, or null where no budget asks",
    "targets[].scores": "for each of the spec's own metrics that a budget names: `metric`, the evaluation `of` which "
    "it scores the answers, and the `step` that does",
    "targets[].watches": "the steps that find out whether the artifact is stable, where a budget asks",
    "targets[].noisy": "like `evaluations`, with noise on the split, where a budget on `churn` asks",
    "targets[].notes": "what to know of the format and the passes, a line each",
    "references": "split to the step that evaluates the reference on it; under an empty name the one that weighs it",
    "noisyReferences": "likewise with noise on the split",
    "hygiene": "split to the step that looks for its samples in the other splits",
    "nearDuplicates": "split to the step that looks for samples much like its own, where a budget asks",
    "drift": "the step that holds the field's inputs against the test split's, or null",
    "decidable.TARGET[].budget": "what the data can decide, ahead: of which quality budget, as reports spell it",
    "decidable.TARGET[].split": "the split that it is judged on",
    "decidable.TARGET[].n": "the samples that it rests on",
    "decidable.TARGET[].passable": "whether a faultless artifact would pass",
    "decidable.TARGET[].errors": "the most wrong (of a drop: net broken) samples with which it still passes, or null",
    "decidable.TARGET[].best": "the highest floor, or smallest drop, that a faultless artifact could prove, or null",
    "decidable.TARGET[].text": "all of it in words",
    "decidable.TARGET[].needed": "where it is not passable, about how many samples would do, or null",
}
"""The fields of the plan as JSON, in the order of the document."""

RESOLVED: Final = {
    ("[model]", "outputs"): '`[{ name = "output" }]`',
    ("[task]", "tolerance"): "`0.01`",
    ("[evidence]", "confidence"): "`0.95`",
    ("[evidence]", "quality"): "`host`",
    ("[evidence]", "latency"): "`device` where the target names one, else `host`",
    ("[evidence]", "memory"): "`device` where the target names one, else `host`",
    ("[evidence]", "energy"): "`device` where the target names one, else `host`",
    ("[evidence]", "accept"): "`signed`",
    ("[evidence]", "churn_noise"): '`"1 %"`',
    ("[evidence]", "min_support"): "`1`",
    ("[targets.NAME]", "time_limit"): '`"30 min"`',
    ("[targets.NAME]", "sustained"): '`"2 min"`',
}
"""Defaults that are not in a class, since other tables or policies have a say in them."""

OPTIONS: Final = {
    ("torchscript", "method"): "how the module becomes a program",
    ("quantize", "scheme"): "one that the target's format takes",
}
"""Options that their plug-in has no words for."""
