"""Looking for damage in MongoDB below the records: whatever is derived is derived again and compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from modelyard.adapters.metadata.mongo_rows import READERS, document
from modelyard.adapters.metadata.rows import Row
from modelyard.adapters.metadata.terms import holder_key
from modelyard.domain.errors import IntegrityError

_OF_OTHERS: Final = ("_id", "guarded", "position", "holder_key")
"""Fields that a record alone does not say."""

_NAMES: Final = {
    "registry": (),
    "models": ("key",),
    "versions": ("model_id",),
    "blobs": ("digest",),
    "sources": ("kind", "target"),
    "receipts": ("key",),
    "events": ("sequence", "model_key"),
    "experiments": ("experiment_id",),
    "outcomes": ("experiment_id", "unit", "draw"),
    "exposures": ("experiment_id", "writer"),
    "tokens": ("token_id",),
    "sessions": ("session_id",),
}


def findings(database: Any, session: Any) -> Iterator[str]:
    """One line per finding.

    Args:
        database: Where to look.
        session: A session of one snapshot, so that all is of one moment.
    """
    single: dict[str, str] = {}
    for name in _NAMES:
        rows = database[name].find({}, session=session)
        if name == "events":
            yield from _log(rows.sort("position", 1), database["counters"], session)
            continue
        for row in rows:
            record, wrong = _judged(name, row)
            yield from wrong
            if name == "models" and record is not None:
                single[row["key"]] = row["single_stages"]
            if name == "versions" and record is not None:
                yield from _holder(row, record, single)


def _called(name: str, row: Row) -> str:
    words = [str(row.get(part)) for part in _NAMES[name] if row.get(part) != ""]
    return " ".join([name if name == "registry" else name.removesuffix("s"), *words])


def _judged(name: str, row: Row) -> tuple[Any, list[str]]:
    """The record of a document, if it has one, and all that is wrong with the document."""
    called = _called(name, row)
    try:
        record = READERS[name](row)
        derived = document(record)
    except IntegrityError:
        return None, [f"{called}: the document does not match its digest"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return None, [f"{called}: the document cannot be read: {error}"]
    fields = sorted((row.keys() | derived.keys()) - set(_OF_OTHERS))
    return record, [
        f"{called}: field {field} holds {row.get(field)!r:.60}, its document says {derived.get(field)!r:.60}"
        for field in fields
        if row.get(field) != derived.get(field)
    ]


def _holder(row: Row, version: Any, single: dict[str, str]) -> Iterator[str]:
    held = holder_key(version, row["model_key"], single.get(row["model_key"], ""))
    if row.get("holder_key") != held:
        yield f"{_called('versions', row)}: it takes the place {row.get('holder_key')}, its document says {held}"


def _log(rows: Any, counters: Any, session: Any) -> Iterator[str]:
    """Events by position; the counter says how many there must be."""
    position = 0
    for row in rows:
        position += 1
        if row["position"] != position:
            found = row["position"]
            called = _called("events", row)
            yield f"{called}: found at position {found}, expected {position}: events are missing before it"
            position = found
        yield from _judged("events", row)[1]
    given = (counters.find_one({"_id": "events"}, session=session) or {"last": 0})["last"]
    if given != position:
        yield f"events: {given} positions were given, the last one found is {position}"
