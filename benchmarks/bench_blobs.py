"""Large files through the local blob store, beside hand-written floors in the same run.

    python benchmarks/bench_blobs.py [--mebibytes 1024] [--rounds 3] [--folder .]

Every row takes the best of its rounds, which are interleaved, so that a busy moment hits floor and store
alike. The folder has to be on the file system in question and to hold about four times the file. Prints a
table and then JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from modelyard.adapters.blobs.local import LocalBlobs

MIB = 1 << 20


def make_source(path: Path, mebibytes: int) -> None:
    """Write random bytes that compress and repeat nowhere."""
    with path.open("wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())


def floor_store(source: Path, folder: Path) -> Path:
    """The least that stores a file under its digest durably.

    Write, hash on a second thread, sync, rename, sync.
    """
    hasher, written, ended = hashlib.sha256(), 0, False
    changed = threading.Condition()
    target = os.open(folder / "draft", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)

    def follow() -> None:
        view, done = memoryview(bytearray(MIB)), 0
        while True:
            with changed:
                changed.wait_for(lambda start=done: ended or written - start >= MIB)
                limit, last = written, ended
            while done < limit:
                count = os.preadv(target, [view], done)
                hasher.update(view[:count])
                done += count
            if last:
                return

    thread = threading.Thread(target=follow)
    thread.start()
    view = memoryview(bytearray(MIB))
    with source.open("rb", 0) as file:
        while count := file.readinto(view):
            os.write(target, view[:count])
            with changed:
                written += count
                changed.notify()
    with changed:
        ended = True
        changed.notify()
    os.fsync(target)
    thread.join()
    os.close(target)
    final = folder / hasher.hexdigest()
    os.rename(folder / "draft", final)
    sync_folder(folder)
    return final


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def floor_hash(source: Path) -> str:
    """SHA-256 of a file, as fast as the standard library goes."""
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def floor_copy(source: Path, target: Path) -> None:
    """A plain copy, in the kernel where it can be."""
    shutil.copyfile(source, target)


def floor_copy_and_hash(source: Path, target: Path) -> str:
    """A copy, hashed afterwards."""
    floor_copy(source, target)
    return floor_hash(target)


def timed(action: Callable[[], object]) -> float:
    """Seconds that ``action`` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def peak_growth(action: Callable[[], object]) -> int:
    """Bytes by which the peak of resident memory grows during ``action``."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    action()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


class Bench:
    """One file, one folder, and the figures by name: all rounds, in seconds."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.store = LocalBlobs(folder / "registry")
        self.figures: dict[str, list[float]] = {}
        self.processor: dict[str, list[float]] = {}
        make_source(self.source, mebibytes)
        self.store.put([b"so that the folders are there"])

    def note(self, name: str, action: Callable[[], object]) -> None:
        """Time ``action``, from a quiet disk; processor time too, which a busy machine disturbs least."""
        os.sync()
        before = time.process_time()
        self.figures.setdefault(name, []).append(timed(action))
        self.processor.setdefault(name, []).append(time.process_time() - before)

    def into_the_store(self) -> str:
        """Floor, store, and the same bytes again; returns the digest, with the blob in place."""
        self.note("floor: store once", lambda: floor_store(self.source, self.folder).unlink())
        digest = ""

        def put() -> None:
            nonlocal digest
            digest = self.store.put_file(self.source).digest

        self.note("put_file", put)
        self.note("floor: sha256", lambda: floor_hash(self.source))
        self.note("put_file again", put)
        return digest

    def out_of_the_store(self, digest: str) -> None:
        """Copies of a blob that is known to be good, and of one that is not, beside their floors."""
        blob, copy = self.store.location(digest), self.folder / "copy"
        assert blob is not None
        for name, action in (
            ("floor: copy", lambda: floor_copy(blob, copy)),
            ("materialise, verified before", lambda: self.store.materialise(digest, copy)),
            ("floor: copy + sha256", lambda: floor_copy_and_hash(blob, copy)),
        ):
            self.note(name, action)
            copy.unlink()
        os.utime(blob)  # A touched blob counts as unverified.
        self.note("materialise, not verified before", lambda: self.store.materialise(digest, copy))
        copy.unlink()

    def round(self) -> None:
        """All rows once."""
        digest = self.into_the_store()
        self.out_of_the_store(digest)
        self.store.delete(digest)
        self.store.sweep(older_than_seconds=0)


# Row, floor, and the ratio that is aimed at.
RATIOS = (
    ("put_file", "floor: store once", 1.25),
    ("put_file again", "floor: sha256", 1.10),
    ("materialise, verified before", "floor: copy", 1.10),
    ("materialise, not verified before", "floor: copy + sha256", 1.10),
)


def report(bench: Bench, growth: int, mebibytes: int) -> dict[str, object]:
    """Print the table and return the same as JSON values."""
    best = {name: min(rounds) for name, rounds in bench.figures.items()}
    spent = {name: min(rounds) for name, rounds in bench.processor.items()}
    print(f"{'':36}{'best s':>8}{'MiB/s':>8}{'CPU s':>8}   rounds")
    for name, rounds in bench.figures.items():
        listed = " ".join(f"{value:.2f}" for value in rounds)
        print(f"{name:36}{best[name]:8.3f}{mebibytes / best[name]:8.0f}{spent[name]:8.3f}   {listed}")
    print()
    ratios = {}
    for name, floor, aim in RATIOS:
        ratios[name] = round(best[name] / best[floor], 3)
        print(f"{name:36}{ratios[name]:8.2f} x {floor} (aim {aim:.2f})")
    print(f"{'peak memory growth, store':36}{growth / MIB:8.1f} MiB (aim < 32)")
    return {
        "mebibytes": mebibytes,
        "seconds": bench.figures,
        "processor_seconds": bench.processor,
        "ratios": ratios,
        "peak_growth_bytes": growth,
    }


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-blobs-", dir=options.folder) as folder:
        bench = Bench(Path(folder), options.mebibytes)

        def first() -> None:
            digest = bench.store.put_file(bench.source).digest
            bench.store.materialise(digest, bench.folder / "copy")
            (bench.folder / "copy").unlink()
            bench.store.delete(digest)

        growth = peak_growth(first)
        for _ in range(options.rounds):
            bench.round()
        figures = report(bench, growth, options.mebibytes)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
