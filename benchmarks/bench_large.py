"""Files of 1 GiB through the public class, beside hand-written floors in the same run.

    python benchmarks/bench_large.py [--mebibytes 1024] [--rounds 3] [--parts random,joblib,safetensors]

Three kinds of file, because the scanner looks into each differently: random bytes, a joblib file of large arrays, and
a safetensors file. Every round starts from an empty registry and a synced disk, and takes floor and registry in turns.
The best of the rounds counts: a large transfer is only ever disturbed in one direction. Peak memory is that of a child
process of its own, from just before the call to its end.

The folder has to hold about four times the file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_blobs import MIB, floor_copy, floor_copy_and_hash, floor_hash, floor_store
from measuring import child_environment, keep, options, table

# What the registry does, the floor it is held against, and the ratio aimed at.
RATIOS = (
    ("register", "floor: write, hash, sync", 1.25),
    ("register the same again", "floor: sha256", 1.10),
    ("download, not verified before", "floor: copy + sha256", 1.10),
    ("download, verified before", "floor: copy", 1.10),
)
MEMORY_AIM = 32


def make_random(path: Path, mebibytes: int) -> None:
    """Bytes of no format, 4 KiB more than asked for, as if behind a header.

    Of a file written in pieces of exactly 1 MiB from its start, the first copy takes two to four times as long here
    (measured; the floor comes first and would look bad), which is a matter of the kernel and not of what is compared.
    """
    with path.open("wb") as file:
        file.write(os.urandom(4096))
        for _ in range(mebibytes):
            file.write(os.urandom(MIB))


def make_joblib(path: Path, mebibytes: int) -> None:
    """Eight arrays of random floats in a dictionary, as a model with large weights is stored."""
    import joblib
    import numpy

    draw = numpy.random.default_rng(5)
    count = mebibytes * MIB // 8 // 4
    joblib.dump({f"layer_{n}": draw.random(count, dtype=numpy.float32) for n in range(8)}, path)


def make_safetensors(path: Path, mebibytes: int) -> None:
    """Eight tensors: eight bytes of header length, a JSON header, raw data."""
    each = mebibytes * MIB // 8
    tensors = {
        f"layer_{n}": {"dtype": "F32", "shape": [each // 4], "data_offsets": [n * each, (n + 1) * each]}
        for n in range(8)
    }
    header = json.dumps(tensors).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _ in range(mebibytes):
            file.write(os.urandom(MIB))


KINDS: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "random": ("model.bin", make_random),
    "joblib": ("model.joblib", make_joblib),
    "safetensors": ("model.safetensors", make_safetensors),
}


class Round:
    """One empty registry and one file; figures go into ``taken`` by name, in seconds."""

    def __init__(self, folder: Path, source: Path, taken: dict[str, list[float]]) -> None:
        from modelyard import ModelRegistry
        from modelyard.settings import Settings

        self.folder, self.source, self.taken = folder, source, taken
        self.registry = ModelRegistry(folder / "registry", config=Settings())
        self.registry.register_model(__file__, "warm")  # the folders, the database and every lazy import
        (folder / "copies").mkdir()

    def note(self, name: str, action: Callable[[], object]) -> None:
        """Time an action from a quiet disk, and clear away what it copied."""
        os.sync()
        begun = time.perf_counter()
        action()
        self.taken.setdefault(name, []).append(time.perf_counter() - begun)
        for left in (self.folder / "copies").iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def run(self) -> None:
        """All rows once."""
        copies, source, registry = self.folder / "copies", self.source, self.registry
        self.note("floor: write, hash, sync", lambda: floor_store(source, copies))
        self.note("register", lambda: registry.register_model(source, "large", "1.0.0"))
        stored = registry.get_registry_stats()["stored_bytes"]
        self.note("floor: sha256", lambda: floor_hash(source))
        self.note("register the same again", lambda: registry.register_model(source, "large", "1.0.1"))
        again = registry.get_registry_stats()["stored_bytes"]
        if again != stored:
            raise SystemExit(f"the same bytes were stored twice: {stored} bytes, then {again}")
        blob = Path(registry.get_model("large:1.0.0").artifact_path)
        self.note("floor: copy + sha256", lambda: floor_copy_and_hash(blob, copies / "copy"))
        os.utime(blob)  # a touched file counts as one that was never verified
        self.note("download, not verified before", lambda: registry.download("large:1.0.0", copies / "out"))
        self.note("floor: copy", lambda: floor_copy(blob, copies / "copy"))
        self.note("download, verified before", lambda: registry.download("large:1.0.0", copies / "out"))
        registry.close()


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

with ModelRegistry(sys.argv[1], config=Settings()) as registry:
    registry.register_model(sys.argv[3], "warm")
    registry.download("warm", sys.argv[1] + "/warm")
    print(growth(lambda: registry.register_model(sys.argv[2], "large")))
    print(growth(lambda: registry.download("large", sys.argv[1] + "/out")))
"""


def memory(folder: Path, source: Path) -> dict[str, float]:
    """MiB by which the resident memory of a child process peaks in ``register`` and in ``download``."""
    command = (sys.executable, "-c", MEMORY, folder / "memory", source, __file__)
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=child_environment()).stdout
    register, download = (round(int(line) / 1024, 1) for line in told.split())
    shutil.rmtree(folder / "memory")
    return {"register": register, "download": download}


def measure(given: Path | None, kind: str, mebibytes: int, rounds: int) -> dict[str, Any]:
    """Every row of one kind of file."""
    name, make = KINDS[kind]
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=given, prefix="bench-") as place:
        source = Path(place) / name
        make(source, mebibytes)
        for number in range(rounds):
            folder = Path(place) / f"round-{number}"
            folder.mkdir()
            Round(folder, source, taken).run()
            shutil.rmtree(folder)
        grown = memory(Path(place), source)
    best = {row: min(seconds) for row, seconds in taken.items()}
    ratios = {row: round(best[row] / best[floor], 3) for row, floor, _ in RATIOS}
    return {"mebibytes": mebibytes, "seconds": taken, "best": best, "ratios": ratios, "memory_mib": grown}


def report(kind: str, told: dict[str, Any]) -> None:
    """Print one kind."""
    best, ratios = told["best"], told["ratios"]
    rows = [
        (row, best[row], told["mebibytes"] / best[row], best[floor], ratios[row], f"<= {aim}")
        for row, floor, aim in RATIOS
    ]
    table((f"{kind}, {told['mebibytes']} MiB", "s", "MiB/s", "floor s", "x floor", "aim"), rows)
    grown = told["memory_mib"]
    print(
        f"peak memory growth: register {grown['register']} MiB, download {grown['download']} MiB "
        f"(aim < {MEMORY_AIM})\n",
        flush=True,
    )


def main() -> None:
    """Run and report."""
    parser = options(__doc__)
    parser.add_argument("--mebibytes", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--parts", default=",".join(KINDS), help="some of them")
    given = parser.parse_args()
    size = given.mebibytes or (64 if given.quick else 1024)
    rounds = given.rounds or (1 if given.quick else 3)
    figures = {}
    for kind in given.parts.split(","):
        figures[kind] = measure(given.folder, kind, size, rounds)
        report(kind, figures[kind])
    keep({"large": figures}, given.json)


if __name__ == "__main__":
    main()
