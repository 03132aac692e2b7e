"""The store: whole entries or none, locks that die with their holder, clear words when the disk refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployspec.build.store import Entry, Store, default_store
from deployspec.digests import sha256_json
from deployspec.errors import StoreError

KEY, OTHER = "ab" + "0" * 62, "ab" + "1" * 62


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def publish(
    store: Store, key: str = KEY, text: str = "hello", *, made: dict[str, Any] | None = None, by_content: bool = False
) -> Entry:
    with store.workspace() as workspace:
        home = workspace / key
        (home / "out" / "deep").mkdir(parents=True)
        (home / "out" / "deep" / "file.txt").write_text(text)
        return store.publish(
            key, home, facts={"n": 1}, seconds=2.5, step="s", ingredients=made or {}, by_content=by_content
        )


def test_what_is_published_is_found(store: Store) -> None:
    entry = publish(store)
    assert store.get(KEY) == entry
    assert entry.folder == store.root / "steps" / "ab" / KEY / "out"
    assert (entry.facts, entry.seconds) == ({"n": 1}, 2.5)
    assert store.get(OTHER) is None


def test_the_digest_is_of_the_content_alone(store: Store) -> None:
    assert publish(store).sha256 == publish(store, OTHER).sha256
    assert publish(store, "cd" + "0" * 62, text="else").sha256 != publish(store).sha256


def test_what_a_key_does_not_tell_is_kept_by_its_content(store: Store) -> None:
    first = publish(store, text="one", by_content=True)
    inode = first.folder.stat().st_ino
    again, other = (publish(store, text=text, by_content=True) for text in ("one", "two"))
    assert first == again
    assert first.folder.stat().st_ino == inode, "whoever reads it goes on reading the same"
    assert other.folder != first.folder
    assert (first.folder / "deep" / "file.txt").read_text() == "one", "whoever reads it goes on reading the same"
    assert store.get(KEY) is None


def test_the_layout_tells_tools_what_it_is(store: Store) -> None:
    publish(store)
    assert (store.root / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert (store.root / ".gitignore").read_text() == "*\n"
    assert (store.root / "layout").read_text() == "1\n"
    names = {path.name for path in store.root.iterdir() if path.is_dir()}
    assert names == {"steps", "locks", "logs", "samples", "tmp"}
    assert not list((store.root / "tmp").iterdir())


def test_reading_a_store_that_is_not_there_makes_nothing(store: Store) -> None:
    assert store.get(KEY) is None
    assert list(store.ingredients()) == []
    assert not store.root.exists()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda home: (home / "out/deep/file.txt").write_text("hellO"), id="changed"),
        pytest.param(lambda home: (home / "out/deep/file.txt").unlink(), id="missing"),
        pytest.param(lambda home: (home / "out/more.txt").write_text(""), id="added"),
        pytest.param(lambda home: (home / "out/link").symlink_to("/etc/hosts"), id="link"),
        pytest.param(lambda home: (home / "step.json").unlink(), id="no-record"),
        pytest.param(lambda home: (home / "step.json").write_text('{"sha256": "'), id="cut-record"),
        pytest.param(lambda home: (home / "step.json").write_text("[1]"), id="odd-record"),
        pytest.param(lambda home: (home / "step.json").write_text("{}"), id="empty-record"),
        pytest.param(lambda home: (home / "step.json").write_bytes(b"\xff"), id="binary-record"),
    ],
)
def test_a_damaged_entry_is_none_and_is_replaced(store: Store, damage: object) -> None:
    home = publish(store).folder.parent
    assert callable(damage)
    damage(home)
    assert store.get(KEY) is None
    assert store.get(KEY) is None
    entry = publish(store)
    assert store.get(KEY) == entry


def test_entries_tell_what_their_keys_are_made_of_the_oldest_first(store: Store) -> None:
    for age, seed in enumerate((3, 1, 2)):
        home = publish(store, sha256_json({"seed": seed}), made={"seed": seed}).folder.parent
        os.utime(home / "step.json", (age, age))
    assert list(store.ingredients()) == [("s", {"seed": 3}), ("s", {"seed": 1}), ("s", {"seed": 2})]


@pytest.mark.parametrize("record", ["", "[1]", '{"step": "s"}', '{"step": "s", "ingredients": {"seed": 2}}'])
def test_an_entry_that_does_not_tell_what_its_key_is_made_of_is_passed_over(store: Store, record: str) -> None:
    home = publish(store, sha256_json({"seed": 1}), made={"seed": 1}).folder.parent
    assert list(store.ingredients())
    (home / "step.json").write_text(record)
    assert list(store.ingredients()) == []


def test_a_lock_excludes_others_until_it_is_released(store: Store) -> None:
    first = store.lock(KEY)
    assert first is not None
    assert store.lock(KEY) is None
    assert store.lock(OTHER) is not None
    first.release()
    assert store.lock(KEY, timeout_s=5) is not None


HOLD = """
import sys
from pathlib import Path
from deployspec.build.store import Store
store = Store(Path(sys.argv[1]))
lock = store.lock(sys.argv[2])
with store.workspace() as folder:
    (folder / "half").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def hold(store: Store) -> tuple[subprocess.Popen[str], Path]:
    """A process that holds the lock of KEY and a workspace until it is killed."""
    command = [sys.executable, "-c", HOLD, str(store.root), KEY]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_dead_process_holds_no_lock_and_its_folder_is_swept(store: Store) -> None:
    process, folder = hold(store)
    with process:
        assert store.lock(KEY) is None
        with store.workspace() as ours:
            assert (folder / "half").exists(), "a live run's folder stays"
        assert not ours.exists()
        process.kill()
        process.wait()
    assert store.lock(KEY) is not None
    assert folder.exists()
    with store.workspace():
        assert not folder.exists()
    assert not list((store.root / "tmp").iterdir())


def test_another_layout_is_refused(store: Store) -> None:
    publish(store)
    (store.root / "layout").write_text("2\n")
    with pytest.raises(StoreError, match="has layout '2' and this version writes '1': delete it"):
        publish(store, OTHER)


def test_a_folder_with_somebodys_files_is_refused(store: Store) -> None:
    store.root.mkdir()
    (store.root / "thesis.txt").write_text("dear")
    with pytest.raises(StoreError, match="holds files and is no store"):
        publish(store)
    assert [path.name for path in store.root.iterdir()] == ["thesis.txt"]


def test_a_start_that_was_cut_short_is_no_foreign_folder(store: Store) -> None:
    store.root.mkdir()
    (store.root / ".layout-1234").write_text("")
    assert publish(store) == store.get(KEY)


def test_a_place_that_cannot_be_a_folder_says_what_next(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        publish(Store(tmp_path / "file" / "store"))
    assert "Not a directory" in str(caught.value)
    assert "DEPLOYSPEC_STORE" in str(caught.value)


WITHOUT_RIGHTS = """
import os
from pathlib import Path
import filelock
from deployspec.build.store import Store
from deployspec.errors import StoreError
if os.getuid() == 0:
    os.setuid(65534)
try:
    with Store(Path("store")).workspace():
        print("written")
except StoreError as error:
    print(error)
"""


def test_without_permission_the_message_says_what_next(tmp_path: Path) -> None:
    """In a process that is not root, which could write anywhere."""
    tmp_path.chmod(0o555)
    command = [sys.executable, "-c", WITHOUT_RIGHTS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == (
        "cannot write in the store store: Permission denied. What it holds is whole. Next: make it readable and "
        "writable for you, or let DEPLOYSPEC_STORE name a folder elsewhere, and run again\n"
    ), done.stderr


def test_default_store(tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    assert default_store(spec, {}).root == tmp_path / ".deployspec"
    assert default_store(spec, {"DEPLOYSPEC_STORE": "/somewhere"}).root == Path("/somewhere")
    assert default_store(spec, {"DEPLOYSPEC_STORE": "near"}).root == Path.cwd() / "near"


def test_the_log_has_a_name_that_every_file_system_takes(store: Store) -> None:
    assert store.log("evaluate:ios/float 16", KEY).name == "evaluate-ios-float-16-ab0000000000.log"
