"""Files appear whole or not at all, whatever goes wrong on the way."""

import errno
import hashlib
import os
import re
import stat
import subprocess
import sys

import pytest
from helpers import whole

from dncnn_lib import _files

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions and links")


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "file.bin"
    _files.write_bytes(path, b"first, and longer")
    assert path.read_bytes() == b"first, and longer"
    _files.write_bytes(str(path), b"second")
    assert path.read_bytes() == b"second"
    _files.write_bytes(path, b"")
    assert path.read_bytes() == b""
    assert names(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("there", [True, False], ids=["old file", "no file"])
@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_failed_write_changes_nothing(tmp_path, monkeypatch, step, there):
    path = tmp_path / "file.bin"
    if there:
        path.write_bytes(b"old")

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, full)
    message = (
        f"[Errno {errno.ENOSPC}] cannot write {path}: {os.strerror(errno.ENOSPC)}; "
        "what was there is unchanged"
    )
    with pytest.raises(OSError, match=whole(message)) as caught:
        _files.write_bytes(path, b"new")
    assert caught.value.errno == errno.ENOSPC
    assert names(tmp_path) == (["file.bin"] if there else [])
    assert not there or path.read_bytes() == b"old"


def test_of_files_that_belong_together_none_is_replaced_where_one_cannot_be_written(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"old")
    second.mkdir()
    with pytest.raises(IsADirectoryError, match=whole(f"cannot write {second}: it is a folder")):
        _files.write_together({first: b"new", second: b"new"})
    assert first.read_bytes() == b"old" and names(tmp_path) == ["a", "b"]
    second.rmdir()
    _files.write_together({first: b"new", second: b"also new"})
    assert (first.read_bytes(), second.read_bytes()) == (b"new", b"also new")
    assert names(tmp_path) == ["a", "b"]


def test_the_longest_name_that_a_folder_takes(tmp_path):
    path = tmp_path / ("n" * 251 + ".png")
    _files.write_bytes(path, b"data")
    assert path.read_bytes() == b"data"


@posix
def test_a_loop_of_links_is_named(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.symlink_to(two)
    two.symlink_to(one)
    with pytest.raises(OSError, match=f"cannot write {re.escape(str(one))}: ") as caught:
        _files.write_bytes(one, b"data")
    assert caught.value.errno == errno.ELOOP and names(tmp_path) == ["one", "two"]


def test_an_interrupt_changes_nothing(tmp_path, monkeypatch):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old" and names(tmp_path) == ["file.bin"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a small file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(small_disk):
    path = small_disk / "file.bin"
    _files.write_bytes(path, b"x" * 100_000)
    with pytest.raises(OSError, match=f"cannot write {re.escape(str(path))}: ") as caught:
        _files.write_bytes(path, b"y" * 300_000)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"x" * 100_000
    assert names(small_disk) == ["file.bin"]


@posix
def test_a_file_that_may_not_grow_so_large(tmp_path):
    """Fails in the middle of the write, in a process of its own with a limit on file size."""
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    code = (
        "import importlib.util, resource, sys\n"
        "spec = importlib.util.spec_from_file_location('_files', sys.argv[1])\n"
        "files = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(files)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "files.write_bytes(sys.argv[2], b'y' * 100_000)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, _files.__file__, str(path)], capture_output=True, text=True
    )
    expected = f"cannot write {path}: {os.strerror(errno.EFBIG)}; what was there is unchanged"
    assert run.returncode == 1 and run.stderr.rstrip().endswith(expected)
    assert path.read_bytes() == b"old" and names(tmp_path) == ["file.bin"]


@posix
def test_permissions_are_kept(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    path.chmod(0o604)
    _files.write_bytes(path, b"new")
    assert mode(path) == 0o604


@posix
def test_a_new_file_has_the_usual_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        _files.write_bytes(tmp_path / "file.bin", b"new")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert mode(tmp_path / "file.bin") == 0o640


@posix
def test_a_link_is_followed(tmp_path):
    (tmp_path / "store").mkdir()
    real, link = tmp_path / "store" / "real.bin", tmp_path / "link.bin"
    real.write_bytes(b"old")
    link.symlink_to(real)
    _files.write_bytes(link, b"new")
    assert link.is_symlink() and real.read_bytes() == b"new"
    assert names(tmp_path / "store") == ["real.bin"]


@posix
def test_devices_and_pipes_are_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=whole(f"cannot write {pipe}: it is not a regular file")):
        _files.write_bytes(pipe, b"new")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_places_where_no_file_can_be(tmp_path):
    with pytest.raises(IsADirectoryError, match=whole(f"cannot write {tmp_path}: it is a folder")):
        _files.write_bytes(tmp_path, b"")
    missing = tmp_path / "missing" / "file.bin"
    message = f"cannot write {missing}: the folder {missing.parent} does not exist"
    with pytest.raises(FileNotFoundError, match=whole(message)):
        _files.write_bytes(missing, b"")


def test_a_folder_that_may_not_be_written_to(tmp_path, monkeypatch):
    path = tmp_path / "file.bin"

    def refuse(**arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "some/other/name.part")

    monkeypatch.setattr(_files.tempfile, "mkstemp", refuse)
    message = (
        f"[Errno {errno.EACCES}] cannot write {path}: {os.strerror(errno.EACCES)}; "
        "what was there is unchanged"
    )
    with pytest.raises(PermissionError, match=whole(message)):
        _files.write_bytes(path, b"")


def test_sha256(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"abc")
    # the test vector of FIPS 180-4
    assert _files.sha256(path) == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    path.write_bytes(os.urandom(3 << 20))
    assert _files.sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
