"""Kills, failing media and full disks, injected for real.

By strace, and by small file systems where we are root.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.domain.errors import StorageError, StorageFull
from modelyard.testing.blobs import LARGE, SMALL, digest

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

# The child stores the bytes of a file and acknowledges them; a refusal is told by its class, and it tries
# once more. It answers by writev, so that every write that strace counts is one of the store.
CHILD = """
import os, sys
from pathlib import Path
from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.domain.errors import AlreadyExists, StorageError
root, source, what, name = sys.argv[1:]
store = LocalBlobs(Path(root))
tell = lambda *words: os.writev(1, [" ".join(words).encode() + b"\\n"])
for attempt in range(2):
    try:
        if what == "put":
            tell("ack", store.put([Path(source).read_bytes()]).digest)
        elif what == "file":
            tell("ack", store.put_file(Path(source)).digest)
        elif what == "copy":
            tell("ack", str(store.materialise(name, Path(source + ".copy"))))
        else:
            tell("ack", str(store.delete(name)))
        break
    except (AlreadyExists, StorageError) as error:
        tell("refused", type(error).__name__)
"""
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def run(root, data, what, *strace, name=""):
    """Run the child, under strace with these options; returns its exit code, its lines and the trace."""
    source, trace = root.with_suffix(".source"), root.with_suffix(".trace")
    source.write_bytes(data)
    child = [sys.executable, "-c", CHILD, str(root), str(source), what, name]
    # The filter makes strace several times faster, but under it an injected signal is never delivered (strace
    # 6.1).
    fast = [] if any("signal=" in option for option in strace) else ["--seccomp-bpf"]
    command = ["strace", "-f", *fast, "-qq", "-o", str(trace), *strace, *child]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines(), trace.read_text()


def fresh(tmp_path):
    """A store whose folders are there."""
    root = tmp_path / "registry"
    LocalBlobs(root).put([b"so that the folders are there"])
    return root


def check_store(root, data, *, acknowledged):
    """After any fault.

    What was acknowledged is there, what is there verifies, and a sweep leaves no draft.
    """
    store = LocalBlobs(root)
    for info in store.list():
        store.verify(info.digest, cached=False)
        store.verify(info.digest)
    if acknowledged:
        assert store.stat(digest(data)) is not None
    store.sweep(older_than_seconds=0)
    assert not (root / "tmp").exists() or list((root / "tmp").iterdir()) == []
    store.put([data])
    store.verify(digest(data), cached=False)


WAYS = pytest.mark.parametrize(
    ("data", "what"), [(SMALL, "put"), (LARGE, "put"), (LARGE, "file")], ids=["small", "large", "file"]
)


@needs_strace
@pytest.mark.faults
@WAYS
def test_I1_bytes_are_synced_before_they_are_named_and_the_folder_before_the_answer(tmp_path, data, what):
    code, _, trace = run(
        fresh(tmp_path), data, what, "-y", "-e", "trace=write,copy_file_range,fsync,renameat,writev"
    )
    assert code == 0
    draft = r"\d+<[^>]*/tmp/[0-9a-f-]{36}>"
    kinds = {
        "write": rf"write\({draft}|copy_file_range\(.*{draft}",
        "sync file": rf"fsync\({draft}",
        "rename": r"renameat\(",
        "sync folder": r"fsync\(\d+<[^>]*/sha256/[0-9a-f]{2}>",
        "ack": r"writev\(1.*ack",
    }
    events = [kind for line in trace.splitlines() for kind in kinds if re.search(kinds[kind], line)]
    synced = events.index("sync file")
    assert set(events[:synced]) == {"write"}
    assert events[synced:] == ["sync file", "rename", "sync folder", "ack"], "and nothing is synced twice"


@needs_strace
@pytest.mark.faults
def test_a_put_of_stored_bytes_syncs_only_their_folder_and_writes_no_draft(tmp_path):
    root = fresh(tmp_path)
    LocalBlobs(root).put([SMALL])
    _, _, trace = run(root, SMALL, "put", "-y", "-e", "trace=fsync,renameat,openat")
    assert not [line for line in trace.splitlines() if "O_CREAT" in line and str(root) in line]
    assert len(re.findall(r"fsync\(\d+<[^>]*/sha256/[0-9a-f]{2}>", trace)) == 1


@needs_strace
@pytest.mark.faults
@WAYS
@pytest.mark.parametrize("call", ["write", "copy_file_range", "fsync", "renameat", "flock"])
def test_F2_a_kill_at_any_call_loses_no_acknowledged_blob_and_leaves_nothing_torn(tmp_path, data, what, call):
    root = fresh(tmp_path)
    for number in range(1, 60):
        code, lines, _ = run(
            root, data, what, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"
        )
        check_store(root, data, acknowledged=bool(lines))
        if code == 0:
            break
        LocalBlobs(root).delete(digest(data))
    assert code == 0, "the child was still killed at its 59th call"
    assert number > 1 or (call == "copy_file_range" and what == "put"), "nothing was killed"


@needs_strace
@pytest.mark.faults
@pytest.mark.parametrize("number", [1, 40, 256, 257, 260])
def test_F2_a_kill_while_the_folders_are_made_leaves_a_store_that_works(tmp_path, number):
    root = tmp_path / "registry"
    code, _, _ = run(
        root, SMALL, "put", "-e", "trace=mkdirat", "-e", f"inject=mkdirat:signal=KILL:when={number}"
    )
    assert code != 0
    check_store(root, SMALL, acknowledged=False)


@needs_strace
@pytest.mark.faults
@WAYS
@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("write,copy_file_range", "ENOSPC"),
        ("write,copy_file_range", "EDQUOT"),
        ("write,copy_file_range", "EIO"),
        ("fsync", "EIO"),
        ("renameat", "ENOSPC"),
        ("flock", "ENOLCK"),
    ],
)
def test_F4_a_failing_call_is_a_clear_refusal_that_leaves_nothing_and_the_next_try_succeeds(
    tmp_path, data, what, call, fault
):
    refused = ["refused StorageFull" if fault in ("ENOSPC", "EDQUOT") else "refused StorageError"]
    root, refusals = fresh(tmp_path), 0
    for number in range(1, 60):
        code, lines, trace = run(
            root, data, what, "-e", f"trace={call}", "-e", f"inject={call}:error={fault}:when={number}"
        )
        assert (code, lines[-1]) == (0, f"ack {digest(data)}")
        assert lines[:-1] in ([], refused)  # None when it hit the cache, which nothing depends on.
        refusals += len(lines) - 1
        check_store(root, data, acknowledged=True)
        if "INJECTED" not in trace:
            break
        LocalBlobs(root).delete(digest(data))
    assert "INJECTED" not in trace, "the calls of the child did not end"
    assert refusals > 0


@needs_strace
@pytest.mark.faults
@pytest.mark.parametrize("call", ["unlinkat", "fsync"])
def test_F4_a_delete_that_fails_says_so_and_the_next_try_succeeds(tmp_path, call):
    root = fresh(tmp_path)
    LocalBlobs(root).put([SMALL])
    inject = f"inject={call}:error=EIO:when=1"
    code, lines, _ = run(root, b"", "delete", "-e", f"trace={call}", "-e", inject, name=digest(SMALL))
    assert (code, lines) == (0, ["refused StorageError", "ack None"])
    assert LocalBlobs(root).stat(digest(SMALL)) is None


@needs_strace
@pytest.mark.faults
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("fault", ["EXDEV", "ENOSYS", "EOPNOTSUPP"])
def test_bytes_go_through_memory_where_the_kernel_cannot_copy_them(tmp_path, fault, number):
    """Whether the first step is refused or a later one, when some bytes have been copied already."""
    data = LARGE * 4
    root = fresh(tmp_path)
    inject = f"inject=copy_file_range:error={fault}:when={number}+"
    code, lines, trace = run(root, data, "file", "-e", "trace=copy_file_range", "-e", inject)
    assert (code, lines) == (0, [f"ack {digest(data)}"])
    assert "INJECTED" in trace
    check_store(root, data, acknowledged=True)
    code, lines, _ = run(root, data, "copy", "-e", "trace=copy_file_range", "-e", inject, name=digest(data))
    assert (code, lines) == (0, ["ack None"])
    assert root.with_suffix(".source.copy").read_bytes() == data


@needs_strace
@pytest.mark.faults
@pytest.mark.parametrize("taken", [False, True])
def test_a_copy_is_renamed_where_links_are_unknown_and_still_replaces_nothing(tmp_path, taken):
    root = fresh(tmp_path)
    LocalBlobs(root).put([SMALL])
    target = root.with_suffix(".source.copy")
    if taken:
        target.write_bytes(b"mine")
    # The child's own start makes no links.
    strace = ("-e", "trace=link,linkat", "-e", "inject=link,linkat:error=EPERM")
    if taken:
        code, lines, _ = run(root, b"", "copy", *strace, name=digest(SMALL))
        assert (code, lines) == (0, ["refused AlreadyExists"] * 2)
        assert target.read_bytes() == b"mine"
    else:
        code, lines, trace = run(root, b"", "copy", *strace, name=digest(SMALL))
        assert (code, lines) == (0, ["ack None"])
        assert "INJECTED" in trace
        assert target.read_bytes() == SMALL
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".modelyard-")]


@needs_strace
@pytest.mark.faults
def test_bytes_that_cannot_be_read_back_are_not_acknowledged(tmp_path):
    """The hashing thread reads what was written; its failure has to reach the caller.

    Strace counts by thread and each try has a new one, so both fail.
    """
    root = fresh(tmp_path)
    strace = ("-e", "trace=preadv,preadv2", "-e", "inject=preadv,preadv2:error=EIO:when=1")
    code, lines, _ = run(root, LARGE, "file", *strace)
    assert (code, lines) == (0, ["refused StorageError"] * 2)
    assert os.listdir(root / "tmp") == []
    check_store(root, LARGE, acknowledged=False)


# Small file systems


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("way", ["put", "file"])
def test_F5_a_full_disk_refuses_puts_serves_reads_and_recovers_by_deleting(small_disk, tmp_path, way):
    store = LocalBlobs(small_disk / "registry")
    first, second = os.urandom(5 << 20), os.urandom(5 << 20)
    source = tmp_path / "source"
    source.write_bytes(second)

    def put_second():
        return store.put([second]) if way == "put" else store.put_file(source)

    store.put([first])
    for _ in range(2):
        with pytest.raises(StorageFull, match="ENOSPC"):
            put_second()
    assert list((small_disk / "registry" / "tmp").iterdir()) == []
    store.verify(digest(first), cached=False)
    assert b"".join(store.open(digest(first))) == first
    store.delete(digest(first))
    assert put_second().digest == digest(second)
    store.verify(digest(second), cached=False)


def test_F5_a_copy_to_a_full_disk_leaves_nothing(small_disk, tmp_path):
    store = LocalBlobs(tmp_path / "registry")
    data = os.urandom(9 << 20)
    store.put([data])
    with pytest.raises(StorageFull, match="ENOSPC"):
        store.materialise(digest(data), small_disk / "copy")
    assert list(small_disk.iterdir()) == []


def test_F6_a_read_only_disk_serves_reads_and_refuses_writes_clearly(small_disk, tmp_path):
    LocalBlobs(small_disk / "registry").put([SMALL])
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    store = LocalBlobs(small_disk / "registry")
    for write in (
        lambda: store.put([LARGE]),
        lambda: store.put([b"other small bytes"]),
        lambda: store.delete(digest(SMALL)),
        lambda: store.quarantine(digest(SMALL)),
    ):
        with pytest.raises(StorageError, match="read-only"):
            write()
    store.verify(digest(SMALL))
    store.verify(digest(SMALL), cached=False)
    assert b"".join(store.open(digest(SMALL))) == SMALL
    assert store.stat(digest(SMALL)) is not None
    assert len(list(store.list())) == 1
    store.materialise(digest(SMALL), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == SMALL


@pytest.fixture
def disk_that_shares_blocks(tmp_path):
    """A small XFS or btrfs on a loop device."""
    makers = {"xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"], "btrfs": ["mkfs.btrfs", "-q"]}
    found = next((kind for kind, maker in makers.items() if shutil.which(maker[0])), None)
    if found is None or os.geteuid() != 0:
        pytest.skip("needs root and mkfs.xfs or mkfs.btrfs")
    image, folder = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(320 << 20)
    folder.mkdir()
    subprocess.run([*makers[found], image], check=True, capture_output=True)
    if subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let root mount a loop device")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("verified", [True, False])
def test_copies_share_blocks_where_the_file_system_can(disk_that_shares_blocks, verified):
    disk = disk_that_shares_blocks
    data = os.urandom(8 << 20)
    (disk / "source").write_bytes(data)
    store = LocalBlobs(disk / "registry")
    os.sync()
    before = shutil.disk_usage(disk).used
    seen = []
    store.put_file(disk / "source", progress=seen.append)
    if not verified:
        os.utime(store.location(digest(data)))
    store.materialise(digest(data), disk / "copy", progress=seen.append)
    os.sync()
    assert sum(seen) == 2 * len(data)
    assert shutil.disk_usage(disk).used - before < len(data)
    with (disk / "copy").open("r+b") as copied:
        copied.write(b"changed by its owner")
    store.verify(digest(data), cached=False)
