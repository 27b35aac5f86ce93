"""Content-addressed files: what is there is whole, what is damaged is noticed, and a failed write leaves nothing behind."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import artifacts as module
from db.artifacts import Artifacts, write_durably
from sweep.errors import StorageError

ROOT = Path(__file__).parents[2]


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_file_lies_under_the_hash_of_its_bytes(tmp_path: Path) -> None:
    store = Artifacts(tmp_path)
    sha256 = store.put(b"hello", "png")
    assert sha256 == hashlib.sha256(b"hello").hexdigest()
    assert files_below(tmp_path) == {f"{sha256[:2]}/{sha256}.png"}
    assert store.get(sha256, "png") == b"hello"


def test_a_repeat_writes_nothing_but_makes_the_file_young_again(tmp_path: Path) -> None:
    store = Artifacts(tmp_path)
    path = store.path(store.put(b"hello", "png"), "png")
    os.utime(path, (1.0, 1.0))  # one that `gc` would take for forgotten
    before = path.stat().st_ino
    store.put(b"hello", "png")
    assert path.stat().st_ino == before
    assert path.stat().st_mtime > 1.0


@pytest.mark.parametrize("damage", [b"", b"hell", b"hellO", b"hello and more"])
def test_damage_is_noticed_and_mended_by_storing_again(tmp_path: Path, damage: bytes) -> None:
    store = Artifacts(tmp_path)
    sha256 = store.put(b"hello", "png")
    store.path(sha256, "png").write_bytes(damage)
    with pytest.raises(StorageError, match=r"\.png is damaged"):
        store.get(sha256, "png")
    store.put(b"hello", "png")
    assert store.get(sha256, "png") == b"hello"


def test_a_missing_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=f"{'0' * 64}.png cannot be read"):
        Artifacts(tmp_path).get("0" * 64, "png")


GOOD = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("sha256", "suffix"),
    [("../" + GOOD[3:], "png"), ("/etc/passwd", "png"), (GOOD.upper(), "png"), (GOOD[:-1], "png"),
     (GOOD + "0", "png"), (GOOD + "\n", "png"),
     (GOOD, ""), (GOOD, "../x"), (GOOD, "png/.."), (GOOD, "PNG"),
      (GOOD, "png\n"), (GOOD, "."), (GOOD, "a" * 9), (GOOD, "p\x00"), ("", "png"), ("\u0660" * 64, "png")],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(tmp_path: Path, sha256: str, suffix: str) -> None:
    for ask in (Artifacts(tmp_path).path, Artifacts(tmp_path).get):
        with pytest.raises(ValueError, match="not a content address"):
            ask(sha256, suffix)


@given(st.text(max_size=80) | st.from_regex(r"[0-9a-f./\\]{60,68}"), st.text(max_size=10))
def test_no_text_leads_out_of_the_folder(sha256: str, suffix: str) -> None:
    folder = Path("/workspace/artifacts")
    try:
        path = Artifacts(folder).path(sha256, suffix)
    except ValueError:
        return
    assert Path(os.path.normpath(path)) == path
    assert path.parent.parent == folder


def test_a_reader_sees_the_old_bytes_or_the_new_ones_never_a_part(tmp_path: Path) -> None:
    target = tmp_path / "file"
    versions = [bytes([number]) * 200_000 for number in range(2)]
    write_durably(target, versions[0])
    stop = threading.Event()
    torn = []

    def read() -> None:
        while not stop.is_set():
            data = target.read_bytes()
            if data not in versions:
                torn.append(len(data))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        write_durably(target, versions[number % 2])
    stop.set()
    reader.join()
    assert torn == []


def test_many_threads_may_store_the_same_bytes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(0.02)  # a real disk's pace, so that the writes overlap
        fsync(descriptor)

    monkeypatch.setattr(module.os, "fsync", slow)
    store = Artifacts(tmp_path)
    data = os.urandom(300_000)
    start = threading.Barrier(8)

    def put(_: int) -> str:
        start.wait()
        return store.put(data, "png")

    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(put, range(8))) == {hashlib.sha256(data).hexdigest()}
        assert len(files_below(tmp_path)) == 1
        store.path(hashlib.sha256(data).hexdigest(), "png").unlink()


def test_many_processes_may_store_the_same_bytes_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from db.artifacts import Artifacts\n"
        "for n in range(30): Artifacts(Path(sys.argv[1])).put(bytes([n]) * 50_000, 'png')"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [b"", b"", b""]
    assert len(files_below(tmp_path)) == 30
    for name in files_below(tmp_path):
        assert Artifacts(tmp_path).get(Path(name).stem, "png")


FULL = """
import resource, signal, sys
from pathlib import Path
from db.artifacts import Artifacts
from sweep.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Artifacts(Path(sys.argv[1]))
kept = store.put(b"small", "png")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store.put(bytes(1_000_000), "png")
except StorageError as error:
    print(error)
print(store.get(kept, "png") == b"small")
"""


def test_a_write_that_fails_says_so_and_leaves_no_part_behind(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    said, kept = done.stdout.splitlines()
    assert "the disk is full. Free some space" in said
    assert kept == "True"
    assert [Path(name).suffix for name in files_below(tmp_path)] == [".png"]
    assert all(path.stat().st_size == 5 for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_an_error_at_any_moment_of_a_write_keeps_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    target = tmp_path / "file"
    write_durably(target, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    owner = module.os if failing == "fsync" else Path
    monkeypatch.setattr(owner, failing, fail)
    with pytest.raises(OSError, match="No space"):
        write_durably(target, b"new")
    assert target.read_bytes() == b"old"
    assert files_below(tmp_path) == {"file"}


def test_a_folder_that_cannot_be_made_is_an_error_of_the_surroundings(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="Not a directory"):
        Artifacts(tmp_path / "file" / "artifacts").put(b"x", "png")
    with pytest.raises(StorageError, match="artifacts"):
        Artifacts(Path("/proc/artifacts")).put(b"x", "png")


def test_bytes_and_names_are_on_disk_before_put_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        told.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name[-8:]}")
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        told.append("rename")
        return replace(path, target)

    monkeypatch.setattr(module.os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    sha256 = Artifacts(tmp_path / "arts").put(b"x", "png")
    assert told == ["fsync .partial", "rename", f"fsync {sha256[:2]}", "fsync arts"]


def test_folders_made_ahead_are_all_there_are_and_one_that_is_removed_comes_back(tmp_path: Path) -> None:
    store = Artifacts(tmp_path / "artifacts")
    store.prepare()
    made = sorted(path.name for path in store.folder.iterdir())
    assert made == [first + second for first in "0123456789abcdef" for second in "0123456789abcdef"]
    for number in range(100):
        data = number.to_bytes(4, "big")
        store.path(hashlib.sha256(data).hexdigest(), "png").parent.rmdir()
        assert store.get(store.put(data, "png"), "png") == data
        store.path(hashlib.sha256(data).hexdigest(), "png").unlink()
    assert sorted(path.name for path in store.folder.iterdir()) == made


def test_folders_that_cannot_be_made_ahead_are_the_trouble_of_the_first_file(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file is in the way")
    store = Artifacts(tmp_path / "artifacts")
    store.prepare()
    with pytest.raises(StorageError, match="cannot be written"):
        store.put(b"x", "png")
