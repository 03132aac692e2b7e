"""What the code does not describe: the meaning of each key of a spec and of each field of a report."""

from __future__ import annotations

from typing import Final

from deployspec.ir import data, evidence, evidence_file, model, report, spec, verdict
from deployspec.ir.plan import Action
from deployspec.parse import document

KEYS: Final[dict[str, tuple[type, dict[str, str]]]] = {
    "[model]": (
        model.Model,
        {
            "name": "used in the names of the artifact files",
            "version": "the model's own version, for the report",
            "source": "`file.py:callable`, or one self-contained file; see [Sources](#sources)",
            "framework": "what a callable returns; a file's framework follows from its kind",
            "weights": "of a callable: `.safetensors` or a state_dict (read with `weights_only`); Keras: `.weights.h5`",
            "sha256": "pins `weights`, else the source's file; another digest exits with 5 before anything runs",
            "inputs": "`[[model.inputs]]`, in the order of the model's arguments",
            "outputs": "`[[model.outputs]]`; optional if there is only one",
        },
    ),
    "[[model.inputs]]": (
        model.Input,
        {
            "name": "also the name of its array in a split that holds several",
            "shape": "the first entry is the batch; text is a symbolic dimension",
            "dtype": "the type of the model's input",
            "range": "legal values after preprocessing; samples outside are counted in the report",
            "preprocess": "turns stored samples into model inputs, the same for the reference and every artifact",
        },
    ),
    "preprocess": (
        model.Preprocess,
        {
            "scale": "a stored sample becomes `(x · scale − mean) / std`",
            "mean": "one number, or one per channel",
            "std": "one number, or one per channel; never 0",
            "layout": "layout of the stored samples, if it differs from the model's",
        },
    ),
    "[[model.outputs]]": (
        model.Output,
        {"name": "how budgets and the contract refer to it", "kind": "the meaning of the numbers"},
    ),
    "[task]": (
        spec.TaskTable,
        {
            "kind": "what the scored output means; determines the form of `y` and the available budgets",
            "output": "the output that is scored; required if there are several",
            "labels": "the classes, in the order of the outputs",
            "positive": "binary: the class that a bare `recall`, `precision` or `f1` refers to",
            "threshold": "on the probability of the positive class (binary) or of each label (multilabel)",
            "tolerance": "values: each agrees if it differs by at most this share of its own spread over the split",
        },
    ),
    "[metrics.NAME]": (
        spec.Metric,
        {
            "source": "`file.py:callable`: called with the scored output and `y`, it returns a number for each sample",
            "better": "`lower` adds the budgets NAME and NAME_rise, `higher` NAME and NAME_drop",
            "aggregate": "how per-sample scores become one figure",
        },
    ),
    "[data]": (
        data.Data,
        {
            "train": "the data that the model was trained on",
            "calibration": "static quantization takes its ranges from it; its first 16 samples (as few as 4 if "
            "they are large) probe every artifact",
            "tuning": "for choosing among candidates",
            "test": "every quality figure is measured on it",
            "field": "captured where the model runs; budgets on it are named `field.NAME`",
        },
    ),
    "[evidence]": (
        document.EvidenceTable,
        {
            "confidence": 'one-sided, in [0.5, 1); `"point"` compares bare estimates, and the report says so',
            "quality": "the lowest class that counts; for Core ML the default is `reference`",
            "latency": "the lowest class that counts; an emulator never does",
            "memory": "the lowest class that counts; an emulator never does",
            "energy": "the lowest class that counts; an emulator never does",
            "accept": "`claimed` accepts unsigned [evidence handed in](evidence.md), and the report says so",
            "churn_noise": "the standard deviation of the noise that `churn` adds, as a share of each input's spread",
            "min_support": "a class with fewer test samples has `inconclusive` figures",
            "seed": "seeds every random draw: probes and resampled bounds",
        },
    ),
    "[report]": (
        document.ReportTable,
        {"valid": 'how long the report is valid, e.g. `"90 d"` (s, min, h, d); without it, it never expires'},
    ),
    "[policy]": (
        document.PolicyTable,
        {"extends": "policies that this spec may tighten, never loosen: packaged names or paths"},
    ),
    "[targets.NAME]": (
        document.TargetTable,
        {
            "format": "what ships; each format adds its own [options](#formats-and-passes)",
            "device": "the device to measure on; [evidence](evidence.md) of class `device` must name it",
            "time_limit": 'for each step, and for timing this target (s, min, h, d)',
            "sustained": "how long each of six processes makes calls for `sustained_slowdown`, after a rest as long",
            "passes": "`{ pass = NAME, … }`, applied in order",
            "budgets": "override the common `[budgets]`, key by key",
        },
    ),
    "[[waivers]]": (
        document.WaiverTable,
        {
            "target": "the target's name",
            "budget": "one budget, spelled as in reports: `recall.3`, `field.accuracy_drop`",
            "reason": "why it is accepted",
            "approver": "who accepts it",
            "expires": "last day on which it holds, UTC",
        },
    ),
}  # fmt: skip
"""Every table of the language: the class that the parser reads it with, and the meaning of each key."""

PREDICATE: Final[dict[str, tuple[type, dict[str, str]]]] = {
    "The predicate": (
        report.Report,
        {
            "result": "`passed`, `failed` or `unproven`: the conclusion from all verdicts",
            "model": "`[model] name`",
            "model_version": "`[model] version`",
            "spec": "the spec's file name and the digest of its bytes",
            "sources": "the model's files by their path, weights first, and a callable's imports; empty in `judge`",
            "data": "the files of each split, `SPLIT: FILE`, likewise; of code also what it yields, `SPLIT: FILE:NAME`",
            "policies": "each policy that the spec extends, with the digest of its bytes",
            "targets": "what was promised, and what counts as proof",
            "measurements": "the evidence, as statistics from which verdicts can be derived again",
            "verdicts": "one for each budget of each target, in order",
            "waivers": "every waiver of the spec, used or not",
            "steps": "each step of the plan as it ran",
            "tools": "`[name, version]` of deployspec and of every distribution that a step used",
            "machine": "facts about the machine that checked",
            "findings": "remarks, one per line; they affect no verdict",
            "checked_at": "RFC 3339 in UTC, to the second, with a `Z`",
            "expires_at": "likewise; empty if the report does not expire",
            "left_out": "targets of the spec that `--target` excluded",
            "imports": "each run of an [evidence file](evidence.md) that was handed in",
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
            "steps": "the ids of its steps",
            "artifact": "the file's or folder's bare name and digest; null if it could not be built",
            "failure": "why it could not be built, else empty",
            "folder": "whether the artifact is a folder: its digest is that of its manifest",
            "device": "the device that the spec names, else empty",
        },
    ),
    "`measurements[]`": (
        evidence.Measurement,
        {
            "target": "the target's name",
            "name": "the name that budgets are [measured from](spec.md#every-budget)",
            "statistic": "its `kind` determines its fields, see below",
            "evidence": "[the class](judging.md#evidence-classes)",
            "split": "`test` or `field`, if measured on data",
            "runtime": "name and version of the runtime that ran the artifact",
            "samples_sha256": "digest of the raw samples, which stay in the store",
            "measured_at": "when timing began, else empty",
            "note": "for example that earlier timings were reused",
            "source": "digest of the evidence file that it came from; empty if measured by this check",
            "variant": "another way of counting the same figure, e.g. `without near-duplicates`; else empty",
        },
    ),
    "`imports[]`": (
        report.Import,
        {
            "file": "name of the evidence file, and the digest of its bytes",
            "signers": "key ids of the trusted labs that signed it; empty if it is only claimed",
            "target": "the target that was measured",
            "artifact": "the artifact that was measured, according to the file",
            "stated": "the class of evidence, according to the file",
            "folder": "whether the artifact is a folder",
            "device": "`name`, and `model`, `system`, `processor` if given; null if the file names no device",
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
            "reason": "one sentence for people; `verify` does not compare it",
            "estimate": "the figure itself, to six decimals, a small score to six digits; null if there is none",
            "lower": "one-sided bound at the stated confidence, rounded outward; null for a census or a point",
            "upper": "likewise",
            "good": "the inner band with its own comparator, else empty",
            "n": "samples, or processes; null for a census",
            "evidence": "the class of the evidence; null if there is none",
            "waived": "the outcome that a waiver covers, else null",
        },
    ),
    "`steps[]`": (
        report.StepRecord,
        {
            "id": "e.g. `tflite.int8@test`",
            "takes": "ids of the steps whose outputs it takes; `model` and `data:SPLIT` stand for the files",
            "gives": "the form of its output",
            "result": "`built`, `cached` or `failed`",
            "seconds": "wall time of the step when it was built",
            "reason": "why it failed",
            "contract": "what was checked of the artifact; null if the step has no contract",
        },
    ),
    "`steps[].contract`": (
        report.Contract,
        {
            "tolerance": "the largest allowed difference, in units of the output's spread (maximum - minimum)",
            "found": "one entry for each run of the contract's probe; empty if the step failed",
        },
    ),
    "`steps[].contract.found[]`": (
        report.Deviation,
        {
            "batch": "number of samples run together",
            "difference": "the largest difference from the source's outputs, in units of the output's spread",
            "rms": "its root mean square, likewise",
            "agreement": "the share of equal decisions; null if outputs are values",
        },
    ),
}
"""The report's parts, in the order of the reference."""

EVIDENCE: Final[dict[str, tuple[type, dict[str, str]]]] = {
    "The document": (
        evidence_file.EvidenceFile,
        {"deployspec_evidence": "the document's version, 1", "runs": "one entry for each artifact and place"},
    ),
    "`runs[]`": (
        evidence_file.Run,
        {
            "target": "the spec's target that was measured",
            "artifact": "`name` without a folder, `sha256` of its bytes; with `folder`: true, of its manifest",
            "evidence": "what ran it: `device`, `emulator`, `host` or `reference`",
            "device": "`name` as in the spec's `device`, and `model`, `system`, `processor` for people; required "
            "for `device` and `emulator`",
            "runtime": "name and version of the runtime that ran the artifact",
            "measured_at": "`2026-01-31T12:00:00Z`",
            "size_bytes": "size of what ships: the file, or the sum of the folder's files",
            "reference_bytes": "size of the reference's parameters and buffers, for `size_reduction`",
            "quality": "decisions over labelled samples, one table per split",
            "outcomes": "`both`, `broken`, `repaired`, `neither` and the `split`, if nothing is known per class",
            "agreement": "`hits` of `n` samples on which the artifact decides as the reference does, and the `split`",
            "processes": "one object for each fresh process, in the order they ran",
            "note": "a remark; the report repeats it",
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
            "rejected": "likewise over the samples of all other classes, where right means *not called so*",
            "top5": "samples whose class is among the artifact's five best, of six classes or more",
            "n": "number of all samples, checked against the matrix",
            "split": "`test` or `field`",
        },
    ),
    "`processes[]`": (
        evidence_file.Process,
        {
            "calls_ms": "every timed call, warm",
            "calls": "instead of `callsMs`: the number of warm calls, given with their percentiles",
            "p50_ms": "nearest rank; needs 50 calls",
            "p90_ms": "needs 50 calls",
            "p95_ms": "needs 100 calls",
            "p99_ms": "needs 1,000 calls",
            "max_ms": "the slowest call; only shown",
            "load_ms": "time from the file's bytes to a model that can be called",
            "first_call_ms": "time of the first call after loading; with `loadMs` it gives `cold_start`",
            "memory_peak_bytes": "peak resident memory above what was held before loading",
            "energy_mj": "energy of one call above idle, from a counter that measures",
            "quarters_ms": "the median call of the first and of the last quarter of a sustained run",
            "pairs_ms": "`[artifact, baseline]` for each pair of interleaved calls, 50 or more; the quickest 2 % of "
            "the pairs (at least 5) give `latency_reduction`",
            "contended": "whether other processes disturbed it",
        },
    ),
}
"""The evidence document, part by part."""

STATISTICS: Final[dict[type, str]] = {
    evidence.Count: "a census figure",
    evidence.Reduction: "a census figure before and after, in one unit: 1 − after / before",
    evidence.Share: "`hits` of `n` independent samples",
    evidence.Classified: "decisions of reference and artifact over one labelled split",
    evidence.Joint: "joint outcomes over one labelled split, with nothing known per class",
    evidence.Multilabel: "decisions for each of several labels per sample; right means called, or not called",
    evidence.Scores: "one score per sample, or per `block` of samples, for both models",
    evidence.Processes: "one figure for each fresh process, in the order they ran",
    evidence.Stability: "how the artifact behaved on inputs from the whole legal range",
    evidence.Churn: "decisions under noise; in the joint outcomes, *right* means unchanged",
    evidence.Drift: "how the field's inputs differ from the test split's, feature by feature",
    evidence.Operators: "how often the artifact contains each operator; shown, never judged",
    evidence.NotMeasured: "the figure is missing; `reason` says why",
}
"""Every form of a statistic."""

PLAN: Final = {
    "deployspecPlan": "the version of this format, 1; within a version fields are only added",
    "model": "`name`, `version`, `source` (the kind of source)",
    "steps[].id": "how other fields refer to it; `model` stands for the source itself, which no step makes",
    "steps[].action": f"the kind of work: {', '.join(f'`{each}`' for each in Action)}",
    "steps[].takes": "the step's inputs: role to step id",
    "steps[].gives": "the form of its output",
    "steps[].options": "the step's options, besides its inputs",
    "steps[].toolchain": "the name of the toolchain that it runs on",
    "steps[].targets": "the targets that need it; empty: all",
    "targets[].name": "as in the spec",
    "targets[].format": "as in the spec",
    "targets[].steps": "the steps that make, read and run the artifact, in order",
    "targets[].artifact": "the step that makes it",
    "targets[].structure": "the step that reads its contents",
    "targets[].evaluations": "split to the step that runs the artifact on it; with several arithmetics, the last one",
    "targets[].baseline": "what `latency_reduction` compares with: a step, `model`, or null if no budget asks",
    "targets[].scores": "for each of the spec's own metrics that a budget names: `metric`, the evaluation `of` which "
    "it scores the outputs, and the `step` that does",
    "targets[].watches": "the steps that test whether the artifact is stable, if a budget asks",
    "targets[].noisy": "like `evaluations`, with noise on the split, if a budget on `churn` asks",
    "targets[].notes": "remarks on the format and the passes, one per line",
    "references": "split to the step that evaluates the reference on it; under an empty name, the one that sizes it",
    "noisyReferences": "likewise with noise on the split",
    "hygiene": "split to the step that searches the other splits for its samples",
    "nearDuplicates": "split to the step that searches them for near-duplicates, if a budget asks",
    "drift": "the step that compares the field's inputs with the test split's, or null",
    "decidable.TARGET[].budget": "what the data can decide: the quality budget, as reports spell it",
    "decidable.TARGET[].split": "the split that it is judged on",
    "decidable.TARGET[].n": "the samples that it rests on",
    "decidable.TARGET[].passable": "whether an error-free artifact would pass",
    "decidable.TARGET[].errors": "the most wrong samples (for a drop: net broken) with which it still passes, or null",
    "decidable.TARGET[].best": "the highest floor, or smallest drop, that an error-free artifact could prove, or null",
    "decidable.TARGET[].text": "all of the above as text",
    "decidable.TARGET[].needed": "if it is not passable, about how many samples would suffice, or null",
}
"""The fields of the plan as JSON, in the order of the document."""

RESOLVED: Final = {
    ("[model]", "outputs"): '`[{ name = "output" }]`',
    ("[task]", "tolerance"): "`0.01`",
    ("[evidence]", "confidence"): "`0.95`",
    ("[evidence]", "quality"): "`host`",
    ("[evidence]", "latency"): "`device` if the target names one, else `host`",
    ("[evidence]", "memory"): "`device` if the target names one, else `host`",
    ("[evidence]", "energy"): "`device` if the target names one, else `host`",
    ("[evidence]", "accept"): "`signed`",
    ("[evidence]", "churn_noise"): '`"1 %"`',
    ("[evidence]", "min_support"): "`1`",
    ("[targets.NAME]", "time_limit"): '`"30 min"`',
    ("[targets.NAME]", "sustained"): '`"2 min"`',
}
"""Defaults that are not in a class, since they also depend on other tables or policies."""

OPTIONS: Final = {
    ("torchscript", "method"): "how the module becomes a program",
    ("quantize", "scheme"): "one that the target's format takes",
}
"""Options that their plug-in does not describe."""
