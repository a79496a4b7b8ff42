"""A registry as one file, out and in, beside a plain tar of the same bytes that is hashed once.

    python benchmarks/bench_bundle.py [--mebibytes 1024] [--rounds 3]

The registry holds a version of one large file and one of many small ones, of random bytes. Floors, taken in turns with
what they are held against: GNU tar writes the files to a tar, which is hashed and synced; GNU tar unpacks it, hashed
before, and the files are synced. A delta is written and measured after one of 40 equal files has changed. Peak memory
is that of a child process of its own.

The folder has to hold about five times the bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_blobs import MIB, floor_hash
from measuring import child_environment, keep, options, table

AIM = 2.0
"""At least half the rate of the floor."""
DELTA_AIM = 0.05
MEMORY_AIM = 48
SMALL = 200
"""Small files, of 20 KiB."""
PARTS = 40

MEMORY = """
import sys
from modelyard import ModelRegistry
from modelyard.settings import Settings

def resident(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))

def growth(action):
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the peak so far
    before = resident("VmRSS")
    action()
    return resident("VmHWM") - before

place = sys.argv[2]
with ModelRegistry("memory://") as warm:
    warm.export_registry(place + "/warm.tar")
with ModelRegistry(sys.argv[1], config=Settings()) as registry:
    print(growth(lambda: registry.export_registry(place + "/memory.tar")))
with ModelRegistry(place + "/memory", config=Settings()) as registry:
    registry.import_registry(place + "/warm.tar")
    print(growth(lambda: registry.import_registry(place + "/memory.tar")))
"""


def sync(path: Path) -> None:
    """One file to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def floor_export(blobs: Path, target: Path) -> None:
    """Plain tar, hashed, synced."""
    subprocess.run(["tar", "-cf", target, "-C", blobs.parent, blobs.name], check=True)
    floor_hash(target)
    sync(target)


def floor_import(source: Path, target: Path) -> None:
    """Hashed, unpacked, synced."""
    floor_hash(source)
    target.mkdir()
    subprocess.run(["tar", "-xf", source, "-C", target], check=True)
    for path in target.rglob("*"):
        if path.is_file():
            sync(path)


class Bench:
    """One filled registry, and what is measured on it; seconds by name."""

    def __init__(self, place: Path, mebibytes: int) -> None:
        from modelyard import ModelRegistry
        from modelyard.settings import Settings

        self.place, self.taken = place, dict[str, list[float]]()
        self.settings = Settings()
        self.registry = ModelRegistry(place / "registry", config=self.settings)
        self.bytes = self.fill(mebibytes)

    def fill(self, mebibytes: int) -> int:
        """One large file, and a folder of small ones."""
        large, small = self.place / "large.bin", self.place / "small"
        small.mkdir()
        with large.open("wb") as file:
            file.write(os.urandom(4096))
            for _ in range(mebibytes):
                file.write(os.urandom(MIB))
        for number in range(SMALL):
            (small / f"{number}.bin").write_bytes(os.urandom(20 * 1024))
        self.registry.register_model(large, "large")
        self.registry.register_model(small, "small")
        return int(self.registry.get_registry_stats()["stored_bytes"])

    def note(self, name: str, action: Callable[[], object]) -> None:
        """Time an action from a quiet disk."""
        os.sync()
        begun = time.perf_counter()
        action()
        self.taken.setdefault(name, []).append(time.perf_counter() - begun)

    def round(self) -> None:
        """All rows once, and what they wrote cleared away."""
        from modelyard import ModelRegistry

        room = self.place / "round"
        room.mkdir()
        plain, bundle = room / "plain.tar", room / "bundle.tar"
        self.note("floor: tar, sha256", lambda: floor_export(self.place / "registry" / "blobs", plain))
        self.note("export", lambda: self.registry.export_registry(bundle))
        self.note("floor: sha256, untar", lambda: floor_import(plain, room / "plain"))
        with ModelRegistry(room / "copy", config=self.settings) as copy:
            copy.history()  # the folders, the database
            self.note("import", lambda: copy.import_registry(bundle))
            self.note("import again", lambda: copy.import_registry(bundle))
        shutil.rmtree(room)

    def delta(self, mebibytes: int) -> dict[str, float]:
        """Share of the whole, and seconds, of a delta after one file of 40 has changed."""
        folder = self.place / "parts"
        folder.mkdir()
        for number in range(PARTS):
            (folder / f"{number}.bin").write_bytes(os.urandom(mebibytes * MIB // PARTS))
        self.registry.register_model(folder, "parts")
        base = self.registry.export_registry(self.place / "base.tar", names=["parts"])
        (folder / "0.bin").write_bytes(os.urandom(mebibytes * MIB // PARTS))
        self.registry.register_model(folder, "parts")
        begun = time.perf_counter()
        delta = self.registry.export_registry(self.place / "delta.tar", names=["parts"], since=base)
        seconds = time.perf_counter() - begun
        return {"share": round(delta.stat().st_size / base.stat().st_size, 4), "seconds": round(seconds, 3)}

    def memory(self) -> dict[str, float]:
        """MiB by which the resident memory of a child process peaks."""
        room = self.place / "peak"
        room.mkdir()
        command = (sys.executable, "-c", MEMORY, self.place / "registry", room)
        ran = subprocess.run(command, capture_output=True, text=True, check=True, env=child_environment())
        shutil.rmtree(room)
        out, back = (round(int(line) / 1024, 1) for line in ran.stdout.split())
        return {"export": out, "import": back}


def measure(folder: Path | None, mebibytes: int, rounds: int) -> dict[str, Any]:
    """Everything once."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as place:
        bench = Bench(Path(place), mebibytes)
        for _ in range(rounds):
            bench.round()
        grown = bench.memory()
        delta = bench.delta(mebibytes)
        bench.registry.close()
    best = {row: min(seconds) for row, seconds in bench.taken.items()}
    ratios = {
        "export": round(best["export"] / best["floor: tar, sha256"], 3),
        "import": round(best["import"] / best["floor: sha256, untar"], 3),
    }
    return {
        "bytes": bench.bytes,
        "seconds": bench.taken,
        "best": best,
        "ratios": ratios,
        "delta": delta,
        "memory_mib": grown,
    }


def report(told: dict[str, Any]) -> None:
    """Print it."""
    size = told["bytes"] / MIB
    rows = [
        (row, seconds, size / seconds, told["ratios"].get(row), f"<= {AIM}" if row in told["ratios"] else "")
        for row, seconds in told["best"].items()
    ]
    table((f"{size:,.0f} MiB", "s", "MiB/s", "x floor", "aim"), rows)
    delta, grown = told["delta"], told["memory_mib"]
    print(
        f"delta of one file in {PARTS}: {delta['share']:.1%} of the whole (aim < {DELTA_AIM:.0%}), {delta['seconds']} s"
    )
    print(
        f"peak memory growth: export {grown['export']} MiB, import {grown['import']} MiB (aim < {MEMORY_AIM})"
    )


def main() -> None:
    """Run and report."""
    parser = options(__doc__)
    parser.add_argument("--mebibytes", type=int)
    parser.add_argument("--rounds", type=int)
    given = parser.parse_args()
    size = given.mebibytes or (64 if given.quick else 1024)
    figures = measure(given.folder, size, given.rounds or (1 if given.quick else 3))
    report(figures)
    keep({"bundle": figures}, given.json)


if __name__ == "__main__":
    main()
