"""Run every benchmark, each in a process of its own, and write ``benchmarks/results.json``.

    python -m benchmarks [--quick] [--only register,start] [--folder DIR] [--json FILE]

About ten minutes on two cores, and only worth keeping from a machine that does nothing else. ``--quick`` takes small
sizes, shows that everything runs, and writes nothing unless ``--json`` names a file.
``bench_blobs.py`` and ``bench_metadata.py`` measure the same below the public class and are run by hand.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the benchmarks are programs and import each other by their plain names

from measuring import child_environment, keep, options  # noqa: E402

ALL = (
    *("start", "register", "processes", "queries", "large"),
    *("compare", "experiments", "lineage", "bundle"),
    *("server", "server_bytes"),
)


def machine() -> dict[str, Any]:
    """What the figures were measured on, in general terms."""
    from modelyard.adapters.metadata.sqlite import driver, journal

    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": f"{driver().sqlite_version}, {journal()}",
        "load_before": os.getloadavg()[0],
        "at": time.strftime("%Y-%m-%d"),
    }


def run(name: str, folder: Path | None, *, quick: bool) -> dict[str, Any]:
    """One benchmark; its table goes to the screen, its figures come back."""
    print(f"== {name}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        figures = Path(place) / "figures.json"
        command = [sys.executable, str(HERE / f"bench_{name}.py"), "--json", str(figures)]
        command += ["--quick"] if quick else []
        command += ["--folder", str(folder)] if folder else []
        begun = time.monotonic()
        subprocess.run(command, check=True, env=child_environment())
        print(f"({time.monotonic() - begun:.0f} s)\n", flush=True)
        told: dict[str, Any] = json.loads(figures.read_text())
        return told


def main() -> None:
    """Run, and keep what each says."""
    parser = options(__doc__)
    parser.add_argument("--only", default=",".join(ALL), help="some of: " + ", ".join(ALL))
    given = parser.parse_args()
    kept: dict[str, Any] = {"machine": machine(), "quick": given.quick}
    for name in given.only.split(","):
        kept |= run(name, given.folder, quick=given.quick)
    target = given.json or (None if given.quick else HERE / "results.json")
    keep(kept, target)
    print(f"figures: {target or 'not kept'}")


if __name__ == "__main__":
    main()
