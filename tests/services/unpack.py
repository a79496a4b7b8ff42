"""Fetch servers for tests by apt and unpack them aside; nothing of the machine is changed, and root is not needed.

``python tests/services/unpack.py ceph mysql`` leaves them in ``.make/ceph`` and ``.make/mysql``, where ``ceph.py`` and
``mysql.py`` look. The mirror, its proxy and its keys are those that this machine's own apt uses.

Ceph is that of the machine's own release, and what it shares with the machine is not fetched again. MySQL is only in
Debian's ``unstable``, whose libraries are newer than those of any release: all it needs is fetched, the C library too.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

PLACE = Path(__file__).parents[2] / ".make"
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Unavailable(Exception):
    """Why there is nothing to unpack on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to fetch.

    Attributes:
        packages: Names that apt knows.
        program: A file that is there when all went well.
        suite: Part of the archive; empty for what the machine uses itself, on top of what is installed.
    """

    packages: tuple[str, ...]
    program: str
    suite: str = ""


WANTED = {
    "ceph": Wanted(packages=("ceph-mon", "ceph-osd", "radosgw"), program="usr/bin/radosgw"),
    "mysql": Wanted(packages=("mysql-server-core",), program="usr/sbin/mysqld", suite="unstable"),
}


class Apt:
    """apt with lists, an archive and a lock of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._options = [
            f"Dir::State::Lists={folder / 'lists'}",
            f"Dir::Cache={folder / 'cache'}",
            "Debug::NoLocking=true",  # apt locks the machine's own folders, in which nothing is written here
            "APT::Sandbox::User=root",  # else it warns that _apt may not write below this folder
            "APT::Install-Recommends=false",
            "Acquire::Retries=3",
        ]
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)

    def __call__(self, *words: str) -> str:
        """The output of ``apt-get`` with these words.

        Raises:
            Unavailable: It failed; apt's own reason is repeated.
        """
        options = [part for option in self._options for part in ("-o", option)]
        done = subprocess.run(
            ["apt-get", "-qq", *options, *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise Unavailable(f"apt-get {' '.join(words)}: {done.stderr.strip()[-600:]}")
        return done.stdout

    def leave_for(self, suite: str) -> None:
        """Know only this suite of the mirror that the machine uses, and nothing of what is installed.

        The signature of the lists is checked as ever. Their age is not: a mirror may keep ``unstable`` longer than its
        lists say they are good for, and nothing but tests is run with what comes from it.
        """
        listed = self("indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian")
        if not listed or not KEYS.exists():
            raise Unavailable(f"{suite} of Debian: apt has no source of Debian here, or {KEYS} is missing")
        sources, status = self.folder / "sources.list", self.folder / "status"
        sources.write_text(f"deb [signed-by={KEYS}] {listed.split()[0]} {suite} main\n")
        status.touch()
        self._options += [
            f"Dir::Etc::SourceList={sources}",
            "Dir::Etc::SourceParts=/dev/null",
            f"Dir::State::Status={status}",
            "Acquire::Check-Valid-Until=false",
        ]
        self("update")


def fetch(wanted: Wanted, folder: Path) -> list[Path]:
    """Packages with all that they need."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unavailable("there is no apt-get or no dpkg-deb on this machine")
    apt = Apt(folder)
    apt("update")
    if wanted.suite:
        apt.leave_for(wanted.suite)
    apt("install", "--download-only", "--yes", *wanted.packages)
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def unpack(name: str) -> Path:
    """The folder with everything in it, made whole or not at all; what is there or installed already will do.

    Raises:
        Unavailable: This machine's apt does not bring it.
    """
    wanted, place = WANTED[name], PLACE / name
    if (place / wanted.program).exists():
        return place
    if not wanted.suite and Path("/", wanted.program).exists():
        return Path("/")
    PLACE.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=PLACE, prefix=f"{name}-") as folder:
        root = Path(folder) / "root"
        root.mkdir(mode=0o755)
        for package in fetch(wanted, Path(folder) / "apt"):
            subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
        if not (root / wanted.program).exists():
            raise Unavailable(
                f"{', '.join(wanted.packages)}: no {wanted.program} in them, or installed already"
            )
        shutil.rmtree(place, ignore_errors=True)
        root.rename(place)
    return place


def main(names: list[str]) -> int:
    """0 if all could be had."""
    failed = 0
    for name in names or list(WANTED):
        print(f"{name}: looking in {PLACE / name}, else fetching it by apt ...", flush=True)
        try:
            unpack(name)
        except Unavailable as why:
            print(f"{name}: {why}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
