"""What can be wrong with a machine and a folder before a registry notices: one function per question."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelyard.cli import diagnosis_parts as parts
from modelyard.cli import figures
from modelyard.cli.diagnosis_line import Line
from modelyard.cli.diagnosis_posture import posture
from modelyard.cli.session import DATABASE
from modelyard.domain.errors import ModelyardError

if TYPE_CHECKING:
    from modelyard.cli.session import Session

REMOTE: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
)
"""File systems on which locks or fsync may promise more than they keep; SQLite's write-ahead log must not be there."""
VOLATILE: Final = frozenset({"tmpfs", "ramfs"})
LOW_BYTES: Final = 1 << 30
PACKAGES: Final = (
    ("joblib", "scikit-learn models"),
    ("scikit-learn", "scikit-learn models"),
    ("skops", "skops files"),
    ("safetensors", "safetensors files"),
    ("numpy", "arrays"),
    ("pandas", "tables of comparisons"),
)
FILE_SYNC: Final = {"0": "OFF", "1": "NORMAL", "2": "FULL", "3": "EXTRA"}


def examine(session: Session) -> Iterator[Line]:
    """All questions, in order. A question that itself fails becomes a ``fail`` line: the rest is still answered."""
    questions: tuple[tuple[str, Callable[[Session], Iterator[Line]]], ...] = (
        ("python", _python),
        ("sqlite", _sqlite),
        ("folder", _folder),
        ("file system", _file_system),
        ("rights", _rights),
        ("space", _space),
        ("database", _database),
        ("database", parts.database),
        ("objects", parts.objects),
        ("cache", parts.cache),
        ("address", parts.address),
        ("clock", _clock),
        ("packages", _packages),
        ("posture", posture),
    )
    told: set[str] = set()
    for topic, question in questions:
        try:
            yield from question(session)
        except (ModelyardError, OSError) as error:
            text = _said(error)
            if text not in told:  # many questions open the registry: one trouble with it is one line
                yield Line(level="fail", topic=topic, text=text)
            told.add(text)


def _said(error: ModelyardError | OSError) -> str:
    if isinstance(error, ModelyardError) or not error.filename:
        return str(error)
    return f"{error.strerror}: {error.filename}"


def _python(_: Session) -> Iterator[Line]:
    yield Line(level="ok", topic="python", text=f"{sys.version.split()[0]} at {sys.executable}")


def _sqlite(_: Session) -> Iterator[Line]:
    from modelyard.adapters.metadata.sqlite import driver, journal

    library = driver()
    text = f"SQLite {library.sqlite_version} from {library.__name__}"
    if journal() == "WAL":
        yield Line(level="ok", topic="sqlite", text=f"{text}, write-ahead log is safe")
        return
    advice = (
        "its write-ahead log can damage a database (fixed in 3.51.3), so the slower rollback journal is used"
    )
    yield Line(level="warn", topic="sqlite", text=f"{text}: {advice}; pip install pysqlite3 helps")


def folder(session: Session) -> Path:
    """The registry's folder, or the nearest one above it that exists."""
    path = session.folder() or Path.cwd()
    while not path.exists():
        path = path.parent
    return path


def _folder(session: Session) -> Iterator[Line]:
    place = session.folder()
    if place is None:
        text = f"{session.place()} is no folder; what follows is about the current one"
        yield Line(level="warn", topic="folder", text=text)
    elif session.absent():
        text = f"no registry at {place} yet; looking at {folder(session)}"
        yield Line(level="warn", topic="folder", text=text)
    else:
        yield Line(level="ok", topic="folder", text=f"registry at {place}")


def _file_system(session: Session) -> Iterator[Line]:
    kind = file_system(folder(session), Path("/proc/self/mountinfo"))
    note = ""
    if kind in REMOTE or kind.startswith("fuse"):
        note = ": several machines cannot trust locks and syncs over it; use a local disk"
    elif kind in VOLATILE:
        note = ": it is memory, a restart loses everything"
    yield Line(level="warn" if note else "ok", topic="file system", text=(kind or "unknown") + note)


def file_system(path: Path, mounts: Path) -> str:
    """Type of the file system that holds ``path``, by the table of mounts (``man 5 proc_pid_mountinfo``)."""
    best, kind = -1, ""
    for line in mounts.read_text("utf-8", errors="replace").splitlines() if mounts.exists() else ():
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        if len(point) >= best and path.is_relative_to(point):
            best, kind = len(point), after.split()[0]
    return kind


def _rights(session: Session) -> Iterator[Line]:
    place = folder(session)
    mode = stat.S_IMODE(place.stat().st_mode)
    if not os.access(place, os.W_OK):
        yield Line(level="warn", topic="rights", text=f"{place} cannot be written: only reading will work")
    if session.absent():
        return
    if mode & 0o002:
        yield Line(level="fail", topic="rights", text=f"anybody may write to {place}: chmod o-w '{place}'")
    elif mode & 0o020:
        yield Line(
            level="warn", topic="rights", text=f"the group may write to {place}: fine for a shared team only"
        )
    else:
        yield Line(level="ok", topic="rights", text=f"{place} has mode {mode:04o}")
    above = place.parent.stat()
    if above.st_mode & 0o002 and not above.st_mode & stat.S_ISVTX:
        yield Line(
            level="fail", topic="rights", text=f"anybody may replace {place}: chmod o-w '{place.parent}'"
        )


def _space(session: Session) -> Iterator[Line]:
    usage = shutil.disk_usage(folder(session))
    low = usage.free < LOW_BYTES or usage.free < usage.total * 0.05
    text = f"{figures.size(usage.free)} of {figures.size(usage.total)} are free"
    yield Line(level="warn" if low else "ok", topic="space", text=text)


def _database(session: Session) -> Iterator[Line]:
    """Journal and synchronous mode as the registry's own connections have them, and whether it opens."""
    place = session.folder()
    if place is None or session.absent() or session.records_elsewhere():
        return
    from modelyard.adapters.metadata.sqlite import connect, journal

    connection = connect(place / DATABASE)
    try:
        mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0]).upper()
        sync = FILE_SYNC.get(str(connection.execute("PRAGMA synchronous").fetchone()[0]), "?")
    finally:
        connection.close()
    session.open()
    level = "ok" if mode == journal() and sync in ("FULL", "EXTRA") else "warn"
    yield Line(level=level, topic="database", text=f"journal {mode}, synchronous {sync}")


def _clock(session: Session) -> Iterator[Line]:
    now = datetime.now(UTC)
    latest = _latest_event(session)
    if latest is not None and latest > now:
        text = f"the last event is {figures.ago(latest, now)}: this clock is behind, or another machine's was ahead"
        yield Line(level="warn", topic="clock", text=text)
    else:
        yield Line(level="ok", topic="clock", text=f"{figures.local(now)}, not behind the last event")


def _latest_event(session: Session) -> datetime | None:
    # Opening records in a database would set it up; its own clock is compared instead.
    if session.absent() or session.records_elsewhere():
        return None
    registry = session.open()
    latest = registry.search_models("order by updated desc", limit=1)
    times = [event.at for version in latest for event in registry.history(version.name, limit=1)]
    times += [event.at for event in registry.history("", limit=1)]
    return max(times, default=None)


def _packages(_: Session) -> Iterator[Line]:
    from importlib.metadata import PackageNotFoundError, version

    found, missing = [], []
    for name, purpose in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(f"{name} (for {purpose})")
    if found:
        yield Line(level="ok", topic="packages", text=", ".join(found))
    if missing:
        yield Line(level="warn", topic="packages", text=f"not installed: {', '.join(missing)}")
