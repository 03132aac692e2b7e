"""A split, prepared: in the declared type and layout, by the formula, or refused with the first rows that are wrong."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.errors import DataFault
from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model, Preprocess
from deployspec.sources import readers
from deployspec.sources.dataset import prepare, refuse_ahead

if TYPE_CHECKING:
    from pathlib import Path

FOUR = Input(name="x", shape=("batch", 4))


def model(*inputs: Input, framework: Any = "torch") -> Model:
    return Model(name="m", source="m.py:build", framework=framework, inputs=inputs or (FOUR,))


class Prepared:
    """What `prepare` made of arrays, as the store would hold it."""

    def __init__(
        self, folder: Path, declared: Model, arrays: dict[str, Any], task: str | None, classes: int, *, labelled: bool
    ) -> None:
        np.savez(folder / "s.npz", **arrays)
        self.out = folder / "out"
        self.out.mkdir()
        options = {"split": "test", "value": "s.npz", "task": task, "classes": classes, "labelled": labelled}
        self.facts = prepare(Job(inputs={"data": folder}, out=self.out, options=options, model=declared))

    def __getitem__(self, name: str) -> np.ndarray:
        return np.load(self.out / f"{name}.npy")

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.out.iterdir()}


@pytest.fixture
def prepared(tmp_path: Path) -> Any:
    def run(
        *inputs: Input, task: str | None = "classification", classes: int = 3, labelled: bool = False, **arrays: Any
    ) -> Prepared:
        return Prepared(tmp_path, model(*inputs), arrays, task, classes, labelled=labelled)

    return run


@pytest.fixture
def fault(prepared: Any) -> Any:
    def run(*inputs: Input, **given: Any) -> str:
        with pytest.raises(DataFault) as refused:
            prepared(*inputs, **given)
        return str(refused.value)

    return run


def rows(n: int = 6) -> np.ndarray:
    return np.arange(n * 4, dtype=np.float32).reshape(n, 4)


def test_samples_and_labels_are_kept_as_they_are(prepared: Any) -> None:
    got = prepared(x=rows(), y=np.array([0, 1, 2, 0, 1, 2], np.uint8))
    assert got.facts == {"samples": 6, "labelled": True, "out_of_range": 0}
    assert np.array_equal(got["0"], rows())
    assert got["y"].tolist() == [0, 1, 2, 0, 1, 2]
    assert (got["0"].dtype, got["y"].dtype) == (np.float32, np.int64)


def test_without_y_there_is_none(prepared: Any) -> None:
    got = prepared(x=rows())
    assert got.facts["labelled"] is False
    assert got.names == {"0.npy", "digests.npy"}


def test_inputs_are_numbered_in_the_order_of_the_models_arguments(prepared: Any) -> None:
    left, right = Input(name="left", shape=("batch", 4)), Input(name="right", shape=("batch", 2), dtype="int64")
    got = prepared(left, right, right=np.ones((6, 2), np.int32), left=rows())
    assert np.array_equal(got["0"], rows())
    assert got["1"].dtype == np.int64


IMAGES = np.random.default_rng(0).integers(0, 17, (5, 2, 3, 4), np.uint8)
MEAN, STD = (0.1, 0.2, 0.3, 0.4), (1.0, 2.0, 3.0, 4.0)


def test_preprocessing_follows_its_formula_per_channel_and_turns_to_channels_first(prepared: Any) -> None:
    steps = Preprocess(scale=0.0625, mean=MEAN, std=STD, layout="nhwc")
    got = prepared(Input(name="image", shape=("batch", 4, 2, 3), preprocess=steps), image=IMAGES)["0"]
    assert got.shape == (5, 4, 2, 3)
    for n, row, column, channel in np.ndindex(IMAGES.shape):
        expected = (int(IMAGES[n, row, column, channel]) * 0.0625 - MEAN[channel]) / STD[channel]
        assert got[n, channel, row, column] == np.float32(expected)


def test_stored_channels_first_stay_where_they_are(prepared: Any) -> None:
    stored = np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2))
    got = prepared(Input(name="i", shape=("b", 4, 2, 3), preprocess=Preprocess(mean=MEAN)), i=stored)["0"]
    assert got[2, 3, 1, 0] == np.float32(int(stored[2, 3, 1, 0]) - 0.4)


def test_a_single_mean_holds_for_every_channel(prepared: Any) -> None:
    got = prepared(Input(name="x", shape=("b", 4), preprocess=Preprocess(mean=(1.0,), std=(2.0,))), x=rows())["0"]
    assert np.array_equal(got, (rows() - 1) / 2)


@pytest.mark.parametrize(("stored", "layout"), [((5, 2, 3, 4), None), ((5, 4, 2, 3), "nchw")])
def test_a_keras_model_takes_channels_last(tmp_path: Path, stored: tuple[int, ...], layout: Any) -> None:
    images = IMAGES if stored == IMAGES.shape else np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2))
    steps = Preprocess(mean=MEAN, layout=layout)
    declared = model(Input(name="i", shape=("b", 2, 3, 4), preprocess=steps), framework="keras")
    got = Prepared(tmp_path, declared, {"i": images}, None, 0, labelled=False)["0"]
    assert np.allclose(got, IMAGES - np.array(MEAN), atol=1e-6)


def test_means_that_do_not_fit_the_channels_are_refused(fault: Any) -> None:
    steps = Preprocess(mean=(1.0, 2.0), layout="nhwc")
    said = fault(Input(name="image", shape=("b", 4, 2, 3), preprocess=steps), image=IMAGES)
    assert said == "preprocess has 2 means or deviations for 4 channels"


def test_values_outside_the_range_are_counted_by_sample(prepared: Any) -> None:
    got = prepared(Input(name="x", shape=("b", 4), range=(2.0, 21.5)), x=rows())
    assert got.facts["out_of_range"] == 2, "the first and the last"


def holding(value: float, *places: int) -> np.ndarray:
    array = np.zeros((9, 4), np.float32)
    array[list(places), 1] = value
    return array


@pytest.mark.parametrize(("places", "said"), [((2, 5), "2, 5"), (range(1, 9), "1, 2, 3, 4, 5 and 3 more near there")])
def test_nan_names_the_first_rows(fault: Any, places: tuple[int, ...], said: str) -> None:
    assert fault(x=holding(np.nan, *places)) == f"data.test: NaN in input 'x', at sample {said}"


def test_rows_are_counted_from_the_start_of_the_file(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BATCH_BYTES", 32)
    assert fault(x=holding(np.nan, 7)) == "data.test: NaN in input 'x', at sample 7"


def test_an_infinity_is_called_so(fault: Any) -> None:
    assert fault(x=holding(np.inf, 3)) == "data.test: an infinity in input 'x', at sample 3"


@pytest.mark.parametrize(
    ("value", "stored", "dtype"),
    [(1e6, "float32", "float16"), (1e39, "float64", "float32"), (300, "int32", "uint8"), (-1, "int32", "uint8")],
)
def test_what_does_not_fit_the_declared_type_is_refused(fault: Any, value: float, stored: str, dtype: Any) -> None:
    array = np.zeros((9, 4), stored)
    array[4, 1] = value
    said = fault(Input(name="x", shape=("b", 4), dtype=dtype), x=array)
    assert said == f"data.test: input 'x' overflows {dtype}, at sample 4"


@pytest.mark.parametrize(
    ("stored", "dtype"),
    [(np.zeros((3, 4), np.uint8), "float32"), (np.zeros((3, 4), np.float32), "int64"), (np.zeros((3, 4)), "bool"),
     (np.zeros((3, 4), bool), "int8")],
)  # fmt: skip
def test_integers_become_floats_only_when_the_spec_says_how(fault: Any, stored: np.ndarray, dtype: Any) -> None:
    said = fault(Input(name="x", shape=("b", 4), dtype=dtype), x=stored)
    assert said == (
        f"data.test: input 'x' is stored as {stored.dtype} and declared {dtype}; "
        "store it so, or say with preprocess how one becomes the other"
    )


@pytest.mark.parametrize("steps", [None, Preprocess(scale=2.0)])
def test_text_is_no_input(fault: Any, steps: Preprocess | None) -> None:
    said = fault(Input(name="x", shape=("b", 4), preprocess=steps), x=np.full((3, 4), "a"))
    assert said == (
        "data.test: input 'x' holds <U1, which are no numbers; "
        "save each text as numbers, such as the indices of its words or characters"
    )


def test_text_is_no_target(fault: Any) -> None:
    said = fault(x=rows(), y=np.full(6, "a"), task="custom")
    assert said == (
        "data.test: y holds <U1, which are no numbers; "
        "save each text as numbers, such as the indices of its words or characters"
    )


@pytest.mark.parametrize("shape", [(6, 5), (6,), (6, 4, 1)])
def test_another_shape_is_refused(fault: Any, shape: tuple[int, ...]) -> None:
    said = fault(x=np.zeros(shape, np.float32))
    assert said == f"data.test: samples of input 'x' have shape {list(shape[1:])}, the spec declares [4]"


@pytest.mark.parametrize(("shape", "written"), [((4,), '["batch", 4]'), (("length",), '["batch", "length"]')])
def test_a_batch_that_the_spec_forgot_is_told(fault: Any, shape: tuple[int | str, ...], written: str) -> None:
    said = fault(Input(name="x", shape=shape), x=rows())
    assert said == (
        "data.test: samples of input 'x' have shape [4], the spec declares []; "
        f"the first entry is the batch: shape = {written}"
    )


def test_a_symbolic_dimension_takes_any_length(prepared: Any) -> None:
    assert prepared(Input(name="x", shape=("batch", "length")), x=np.zeros((2, 7), np.float32))["0"].shape == (2, 7)


def test_an_empty_split_is_refused(fault: Any) -> None:
    assert fault(x=rows(0)) == "data.test is empty: s.npz"


@pytest.mark.parametrize(("label", "task"), [(3, "classification"), (-1, "classification"), (3, "binary")])
def test_a_label_out_of_range_is_refused(fault: Any, label: int, task: str) -> None:
    said = fault(x=rows(), y=np.array([0, 1, label, 0, label, 2]), task=task)
    assert said == f"data.test: y is {label}, not one of the 3 classes (0 to 2), at sample 2, 4"


def test_labels_out_of_range_are_named_each_once(fault: Any) -> None:
    said = fault(x=rows(), y=np.array([10, -1, 10, 0, 0, 2]))
    assert said == "data.test: y is 10, -1, not one of the 3 classes (0 to 2), at sample 0, 1, 2"


@pytest.mark.parametrize(
    ("y", "advice"),
    [
        (
            np.zeros((6, 3), int),
            "it is int64[6, 3]: save the column of each row's class, y.argmax(1), or is the task multilabel?",
        ),
        (
            np.zeros((6, 3)),
            "it is float64[6, 3]: save the column of each row's class, y.argmax(1), "
            "or is the task a regression or multilabel?",
        ),
        (np.zeros((6, 1)), "it is float64[6, 1]: save them flat, y.reshape(-1), or is the task a regression?"),
        (np.zeros((6, 1), int), "it is int64[6, 1]: save them flat, y.reshape(-1)"),
        (np.zeros(6), 'it is float64[6]: save y.astype("int64"), or is the task a regression?'),
        (np.full(6, "a"), "it is <U1[6]: save each label's place in [task] labels, counted from 0"),
    ],
)
def test_labels_of_classes_are_indices(fault: Any, y: np.ndarray, advice: str) -> None:
    assert fault(x=rows(), y=y) == f"data.test: y must be (n,) of class indices, {advice}"


def test_classes_without_names_cannot_be_counted(fault: Any) -> None:
    assert "names no classes: add labels" in fault(x=rows(), y=np.zeros(6, int), classes=0)


def test_samples_without_dimensions_are_a_fault_whatever_their_layout(fault: Any) -> None:
    steps = Preprocess(layout="nhwc")
    said = fault(Input(name="x", shape=("b", 3, 8, 8), preprocess=steps), x=np.zeros(6, np.float32))
    assert said == "data.test: samples of input 'x' have shape [], the spec declares [3, 8, 8] after preprocess"


PIXELS = Input(name="x", shape=("b", 3, 8, 8), preprocess=Preprocess(mean=(1.0, 2.0, 3.0), layout="nhwc"))
AHEAD: list[tuple[Input, dict[str, Any], dict[str, Any]]] = [
    (FOUR, {"a": rows()}, {}),
    (FOUR, {"x": rows(), "y": np.zeros(5, int)}, {}),
    (FOUR, {"x": rows()[:, :3]}, {}),
    (FOUR, {"x": rows().astype(int)}, {}),
    (FOUR, {"x": rows().astype("U9")}, {}),
    (FOUR, {"x": rows().astype(object)}, {}),
    (FOUR, {"x": rows(0), "y": np.zeros(0, int)}, {}),
    (FOUR, {"x": rows()}, {"labelled": True}),
    (FOUR, {"x": rows(), "y": np.zeros(6)}, {}),
    (FOUR, {"x": rows(), "y": np.array([0, 1, 2, 10, -1, 0])}, {}),
    (FOUR, {"x": rows(), "y": np.full(6, "a")}, {"task": "regression", "classes": 0}),
    (FOUR, {"x": rows(), "y": np.zeros((6, 2), int)}, {"task": "multilabel"}),
    (PIXELS, {"x": np.zeros((6, 8, 8, 1), np.uint8)}, {}),
    (PIXELS, {"x": np.zeros((6, 3, 8, 8), np.uint8)}, {}),
]


@pytest.mark.parametrize(("declared", "arrays", "given"), AHEAD)
def test_what_headers_and_labels_show_is_refused_ahead_in_the_same_words(
    tmp_path: Path, declared: Input, arrays: dict[str, Any], given: dict[str, Any]
) -> None:
    np.savez(tmp_path / "s.npz", **arrays)
    options = {"split": "test", "value": "s.npz", "task": "classification", "classes": 3, "labelled": False} | given
    (tmp_path / "out").mkdir()
    job = Job(inputs={"data": tmp_path}, out=tmp_path / "out", options=options, model=model(declared))
    with pytest.raises(DataFault) as refused:
        prepare(job)
    with pytest.raises(DataFault) as ahead:
        refuse_ahead(tmp_path, model(declared), options)
    assert str(ahead.value) == str(refused.value)


def test_a_sound_split_is_not_refused_ahead_nor_is_what_only_its_samples_show(tmp_path: Path) -> None:
    options = {"split": "test", "value": "s.npz", "task": "classification", "classes": 3, "labelled": True}
    for samples in (rows(), holding(np.nan, 2)[:6]):
        np.savez(tmp_path / "s.npz", x=samples, y=np.arange(6) % 3)
        refuse_ahead(tmp_path, model(FOUR), options)
    (tmp_path / "load.py").write_text("raise OSError('it was run')")
    refuse_ahead(tmp_path, model(FOUR), options | {"value": "load.py:it"})


def test_labels_of_other_tasks(prepared: Any) -> None:
    assert prepared(x=rows(2), y=np.array([[0, 1, 1], [0, 0, 1]], bool), task="multilabel")["y"].tolist() == [
        [0, 1, 1],
        [0, 0, 1],
    ]


def test_values_to_regress_to_are_kept_as_floats(prepared: Any) -> None:
    assert prepared(x=rows(2), y=np.array([1, 2]), task="regression")["y"].dtype == np.float64


@pytest.mark.parametrize("task", ["custom", None])
@pytest.mark.parametrize(
    ("y", "kept"),
    [
        (np.array([[3, 1], [2**63, 0]], np.uint64), np.uint64),
        (np.array([1, -2], np.int8), np.int8),
        (np.ones(2, np.float32), np.float64),
    ],
)
def test_what_only_a_metric_reads_keeps_its_whole_numbers(
    prepared: Any, task: str | None, y: np.ndarray, kept: type
) -> None:
    """A metric may look things up by them."""
    found = prepared(x=rows(2), y=y, task=task)["y"]
    assert found.dtype == kept
    assert np.array_equal(found, y)


@pytest.mark.parametrize(
    ("y", "task", "said"),
    [
        (np.array([[0, 1, 2]]), "multilabel", "data.test: y is neither 0 nor 1, at sample 0"),
        (np.array([[0, 1]]), "multilabel", "data.test: y must be (n, 3) of 0 and 1, it is int64[1, 2]"),
        (
            np.zeros((1, 3)),
            "multilabel",
            'data.test: y must be (n, 3) of 0 and 1, it is float64[1, 3]: save y.astype("int64")',
        ),
        (np.array([np.nan]), "regression", "data.test: y is NaN or infinite, at sample 0"),
    ],
)
def test_labels_that_do_not_fit_their_task(fault: Any, y: np.ndarray, task: str, said: str) -> None:
    assert fault(x=rows(1), y=y, task=task) == said


def from_code(folder: Path, code: str) -> dict[str, Any]:
    """The facts of a split that a callable yields."""
    (folder / "load.py").write_text(f"import numpy as np\ndef it():\n{code}\n")
    (folder / "out").mkdir()
    options = {"split": "test", "value": "load.py:it", "task": "classification", "classes": 3, "labelled": True}
    declared = model(Input(name="x", shape=("batch", "length")))
    return prepare(Job(inputs={"data": folder}, out=folder / "out", options=options, model=declared))


ROWS = "np.zeros((2, 4), np.float32)"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("    return iter(())", "data.test is empty: load.py:it"),
        ("    yield np.zeros((0, 4), np.float32), np.zeros(0, int)", "data.test is empty: load.py:it"),
        (
            f"    yield {ROWS}, [0, 1]\n    yield {{'x': {ROWS}}}",
            "data.test: 2 of its 4 samples have y; all must, or none",
        ),
        (
            f"    yield {{'x': {ROWS}}}\n    yield {{'x': {ROWS}[:, :3]}}",
            "data.test: 'x' is not the same in every batch: ",
        ),
    ],
)
def test_batches_that_do_not_make_one_split_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DataFault) as refused:
        from_code(tmp_path, code)
    assert str(refused.value).startswith(said)


def test_memory_does_not_grow_with_the_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BATCH_BYTES", 1 << 14)
    declared = model(Input(name="x", shape=("batch", 256)))

    def peak_bytes(samples: int) -> int:
        folder = tmp_path / str(samples)
        (folder / "out").mkdir(parents=True)
        np.savez(folder / "s.npz", x=np.ones((samples, 256), np.float32))
        options = {"split": "test", "value": "s.npz", "task": None, "classes": 0, "labelled": False}
        tracemalloc.start()
        prepare(Job(inputs={"data": folder}, out=folder / "out", options=options, model=declared))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak_bytes(16)  # what is imported on first use
    small, large = peak_bytes(256), peak_bytes(8192)
    assert large < small + (64 << 10), "32 times the samples: 8 MB more, were they held"


def test_a_split_without_labels_is_a_fault_only_where_a_budget_needs_them(fault: Any) -> None:
    samples = np.zeros((3, 4), np.float32)
    assert "data.test has no y, which budgets on it need" in fault(x=samples, labelled=True)


def test_a_split_without_labels_will_do_where_no_budget_needs_them(prepared: Any) -> None:
    assert prepared(x=np.zeros((3, 4), np.float32)).facts["labelled"] is False
