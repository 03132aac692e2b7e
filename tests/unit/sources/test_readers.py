"""Readers: a split as batches in file order, whatever holds it, and a clear word for a file that is broken."""

from __future__ import annotations

import io
import pickle
import re
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.errors import DataFault
from deployspec.runners.callables import import_file
from deployspec.sources import readers
from deployspec.sources.readers import read_ahead, read_batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

X = np.arange(24, dtype=np.float32).reshape(6, 4)
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture(autouse=True)
def unchanged_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A callable's folder goes to the path of the process that runs it, which here is not ours."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("deployspec_split_") or name == "helper":
            del sys.modules[name]


def whole(folder: Path, split: str | tuple[str, str], *names: str) -> dict[str, np.ndarray]:
    """All batches of a split, joined."""
    batches = list(read_batches(folder, split, names or ("image",)))
    return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


def fault(folder: Path, split: str | tuple[str, str], *names: str) -> str:
    """What is said of a split that cannot be read."""
    with pytest.raises(DataFault) as refused:
        whole(folder, split, *names)
    return str(refused.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_gives_what_was_saved(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "s.npz", image=X, y=Y, note=np.zeros(3))
    got = whole(tmp_path, "s.npz")
    assert set(got) == {"image", "y"}
    assert np.array_equal(got["image"], X)
    assert np.array_equal(got["y"], Y)
    assert got["image"].dtype == np.float32


def test_the_array_of_a_single_input_may_be_called_x(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=X)
    assert np.array_equal(whole(tmp_path, "s.npz")["image"], X)


def test_two_inputs_are_found_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", right=X + 1, left=X)
    got = whole(tmp_path, "s.npz", "left", "right")
    assert list(got) == ["left", "right"]
    assert np.array_equal(got["right"], X + 1)


def test_an_array_that_is_missing_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", left=X, y=Y)
    assert fault(tmp_path, "s.npz", "left", "right") == (
        "s.npz has no array 'right'; it holds left, y: call each input's samples by its name, and the labels y"
    )
    assert fault(tmp_path, "s.npz") == (
        "s.npz has no array 'image'; it holds left, y: call the samples so, or x, and the labels y"
    )


def test_a_pair_of_files_holds_samples_and_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    got = whole(tmp_path, ("x.npy", "y.npy"))
    assert np.array_equal(got["image"], X)
    assert np.array_equal(got["y"], Y)
    assert "write an .npz with the inputs' names" in fault(tmp_path, ("x.npy", "y.npy"), "left", "right")


@pytest.mark.parametrize("batch_bytes", [1, 16, 40, 1 << 20])
def test_batches_are_small_and_together_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_bytes: int
) -> None:
    monkeypatch.setattr(readers, "BATCH_BYTES", batch_bytes)
    np.savez_compressed(tmp_path / "s.npz", image=X, y=Y)
    batches = list(read_batches(tmp_path, "s.npz", ("image",)))
    assert max(batch["image"].nbytes for batch in batches) <= max(batch_bytes, X[0].nbytes)
    assert np.array_equal(np.concatenate([batch["image"] for batch in batches]), X)


def test_objects_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("it was unpickled",))

    np.savez(tmp_path / "s.npz", image=np.array([Trap()] * 6, object))
    with zipfile.ZipFile(tmp_path / "s.npz") as archive:
        stored = archive.read("image.npy")
    with pytest.raises(pytest.fail.Exception):
        pickle.loads(stored[stored.index(b"\n") + 1 :])  # the trap is armed
    assert fault(tmp_path, "s.npz").endswith("array 'image' holds Python objects; save numbers only")


def test_arrays_of_different_lengths_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", image=X, y=Y[:5])
    said = "s.npz: the arrays hold different numbers of samples: image has 6, y has 5"
    assert fault(tmp_path, "s.npz") == said


def test_columns_in_fortran_order_are_refused_with_the_remedy(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", image=np.asfortranarray(X))
    assert "Fortran order; save numpy.ascontiguousarray" in fault(tmp_path, "s.npz")


def test_a_single_number_is_no_split(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", image=np.float32(3))
    assert "must have one row per sample" in fault(tmp_path, "s.npz")


def archive_of(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_an_array_that_ends_early_is_refused(tmp_path: Path) -> None:
    archive_of(tmp_path / "s.npz", image_npy=npy(X)[:-4])
    assert fault(tmp_path, "s.npz") == "s.npz cannot be read: the file ends in the middle of its samples"


def test_a_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    archive_of(tmp_path / "s.npz", image_npy=b"no array at all")
    assert fault(tmp_path, "s.npz").startswith("s.npz cannot be read: ")
    archive_of(tmp_path / "t.npz", image=npy(X))
    assert fault(tmp_path, "t.npz").startswith("t.npz has no array 'image'; it holds nothing: ")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("harm", ["cut", "flip", "zeros", "empty"])
def test_a_corrupt_archive_is_a_fault_of_the_data(tmp_path: Path, save: Any, harm: str) -> None:
    save(tmp_path / "s.npz", image=np.tile(X, (200, 1)))
    content = bytearray((tmp_path / "s.npz").read_bytes())
    middle = len(content) // 2
    harmed = {
        "cut": content[:middle],
        "flip": content[:middle] + bytes(byte ^ 0xFF for byte in content[middle : middle + 8]) + content[middle + 8 :],
        "zeros": content[:200] + bytes(200) + content[400:],
        "empty": b"",
    }
    (tmp_path / "s.npz").write_bytes(harmed[harm])
    assert fault(tmp_path, "s.npz").startswith(("s.npz cannot be read: ", "s.npz is not a whole .npz file: "))


def test_junk_is_no_archive_and_nobody_advises_pickle(tmp_path: Path) -> None:
    (tmp_path / "s.npz").write_bytes(b"no archive at all")
    said = "s.npz is not a whole .npz file: write it with numpy.savez"
    assert fault(tmp_path, "s.npz") == said
    with pytest.raises(DataFault, match=re.escape(said)):
        read_ahead(tmp_path, "s.npz", ("image",))


def test_wherever_a_compressed_archive_is_harmed_it_is_a_fault_of_the_data(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "s.npz", image=np.random.default_rng(0).standard_normal((50, 4)))
    content = (tmp_path / "s.npz").read_bytes()
    refused = 0
    for place in range(0, len(content), 7):
        (tmp_path / "s.npz").write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            whole(tmp_path, "s.npz")
        except DataFault:
            refused += 1
    assert refused > len(content) / 7 * 0.8, "what is left are dates and the like"


def test_a_file_that_is_not_there_is_a_fault_of_the_data(tmp_path: Path) -> None:
    assert "nowhere.npz cannot be read: " in fault(tmp_path, "nowhere.npz")
    assert "x.npy with y.npy cannot be read: " in fault(tmp_path, ("x.npy", "y.npy"))


def test_other_kinds_of_splits_say_what_would_do(tmp_path: Path) -> None:
    assert fault(tmp_path, "images") == ("images: this version reads .npz, a pair of .npy files, or module.py:callable")


def write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("import numpy as np\n" + text)


def test_a_callable_yields_dicts_or_pairs(tmp_path: Path) -> None:
    write(
        tmp_path,
        "load.py",
        "def dicts():\n    for i in range(3):\n        yield {'image': np.full((2, 4), i), 'y': [i, i], 'extra': 1}\n"
        "def pairs():\n    yield np.zeros((2, 4)), [1, 2]\n    yield np.ones((1, 4)), [0]\n"
        "def bare():\n    yield {'image': np.zeros((2, 4))}\n",
    )
    assert whole(tmp_path, "load.py:dicts")["image"][:, 0].tolist() == [0, 0, 1, 1, 2, 2]
    assert set(whole(tmp_path, "load.py:dicts")) == {"image", "y"}
    assert whole(tmp_path, "load.py:pairs")["y"].tolist() == [1, 2, 0]
    assert set(whole(tmp_path, "load.py:bare")) == {"image"}


def test_a_callable_finds_the_modules_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "helper.py", "ROWS = 3\n")
    write(tmp_path, "load.py", "import helper\ndef it():\n    yield {'image': np.zeros((helper.ROWS, 4))}\n")
    assert len(whole(tmp_path, "load.py:it")["image"]) == 3


def test_two_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    for i, folder in enumerate(("one", "two")):
        write(tmp_path / folder, "load.py", f"def it():\n    yield {{'image': np.full((1, 4), {i})}}\n")
    assert whole(tmp_path, "one/load.py:it")["image"][0, 0] == 0
    assert whole(tmp_path, "two/load.py:it")["image"][0, 0] == 1


def test_a_file_that_also_makes_the_model_does_not_take_its_modules_place(tmp_path: Path) -> None:
    write(tmp_path, "load.py", "def it():\n    yield {'image': np.zeros((1, 4))}\n")
    made = import_file(tmp_path / "load.py")
    whole(tmp_path, "load.py:it")
    assert sys.modules.pop(made.__name__) is made


def test_a_file_may_be_called_like_a_module_of_python(tmp_path: Path) -> None:
    write(tmp_path, "random.py", "def it():\n    yield {'image': np.zeros((2, 4))}\n")
    assert len(whole(tmp_path, "random.py:it")["image"]) == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise OSError('the disk is gone')", "load.py:it raised OSError: the disk is gone"),
        ("def it():\n    yield {'image': np.zeros((2, 4))}\n    1 / 0", "load.py:it raised ZeroDivisionError: "),
        ("other = 1", "load.py:it raised AttributeError: "),
        ("def it():\n    yield {'x': 1}", "load.py:it must yield a dict with image (and y), or (x, y) for a single"),
        ("def it():\n    yield 1, 2, 3", "load.py:it raised TypeError: "),
        (
            "def it():\n    yield {'image': np.zeros((2, 4)), 'y': [1]}",
            "load.py:it yielded arrays with different numbers of samples",
        ),
    ],
)
def test_a_callable_that_misbehaves_is_a_fault_of_the_data(tmp_path: Path, code: str, said: str) -> None:
    write(tmp_path, "load.py", code + "\n")
    assert fault(tmp_path, "load.py:it").startswith(said)


def test_headers_and_labels_are_read_without_the_samples(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", image=X, y=Y)
    np.savez(tmp_path / "bare.npz", image=X)
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    for split in ("s.npz", ("x.npy", "y.npy")):
        ahead = read_ahead(tmp_path, split, ("image",))
        assert ahead is not None
        assert (ahead.samples, ahead.columns["image"].shape, ahead.columns["image"].dtype) == (6, (0, 4), np.float32)
        assert ahead.columns["y"].tolist() == Y.tolist()
    bare = read_ahead(tmp_path, "bare.npz", ("image",))
    assert bare is not None
    assert set(bare.columns) == {"image"}
    assert read_ahead(tmp_path, "load.py:it", ("image",)) is None, "its code is not run to look ahead"


def test_labels_that_no_memory_holds_are_a_fault(tmp_path: Path) -> None:
    header = {"descr": "<i8", "fortran_order": False, "shape": (1 << 50,)}
    with (tmp_path / "y.npy").open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        archive.write(tmp_path / "y.npy", "y.npy")
    for split in ("s.npz", ("y.npy", "y.npy")):
        with pytest.raises(DataFault, match="cannot be read"):
            read_ahead(tmp_path, split, ("y",))
