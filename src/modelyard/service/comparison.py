"""Two versions side by side, with the per-example results that were registered with both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelyard.domain import compare as comparing
from modelyard.domain import results
from modelyard.domain.compare import Comparison
from modelyard.domain.errors import InvalidInput, ModelyardError
from modelyard.domain.grounds import Shared, named
from modelyard.domain.records import FileEntry, ModelVersion
from modelyard.domain.results import Results
from modelyard.service import resolve

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


def compare(service: LocalService, a: str, b: str, metrics: Sequence[str] | None) -> Comparison:
    """Metrics and contents of two versions; results that cannot be used are noted, and the rest is compared."""
    left, right = resolve.version(service, a), resolve.version(service, b)
    shared, notes = _shared(service, left, right)
    return comparing.compare(
        left, right, metrics, judge=service.statistics.judge, results=shared, notes=notes
    )


def _shared(
    service: LocalService, left: ModelVersion, right: ModelVersion
) -> tuple[dict[str, Shared], list[str]]:
    """Results that both sides have, by place, and why others are not used."""
    found: dict[str, Shared] = {}
    notes: list[str] = []
    ours, theirs = results.by_place(left.files), results.by_place(right.files)
    for where in sorted({*ours, *theirs}):
        if where not in ours or where not in theirs:
            missing = _spelled(right if where in ours else left)
            notes.append(f"{named(where)} not used: {missing} has none")
            continue
        try:
            pair = _read(service, left, ours[where]), _read(service, right, theirs[where])
        except ModelyardError as error:
            notes.append(f"{named(where)} not used: {error.detail}")
        else:
            found[where] = pair
    return found, notes


def _read(service: LocalService, version: ModelVersion, entry: FileEntry) -> Results:
    whose = f"{entry.path} of {_spelled(version)}"
    if entry.size > results.MOST_BYTES:
        raise InvalidInput(f"{whose}: expected at most {results.MOST_BYTES:,} bytes, found {entry.size:,}")
    data = b"".join(service.blobs.open(entry.digest))  # a whole read is checked against the digest
    read = service.statistics.read_parquet if entry.path.endswith(".parquet") else results.parse_lines
    try:
        return read(data)
    except InvalidInput as error:
        raise InvalidInput(f"{whose}: {error.detail}") from error


def _spelled(version: ModelVersion) -> str:
    return f"{version.name}:{version.version}"
