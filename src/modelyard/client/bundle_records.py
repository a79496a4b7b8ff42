"""Records of an export as one JSON document, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from modelyard.domain.canonical import canonical
from modelyard.domain.errors import InvalidInput
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.layout import FORMAT
from modelyard.domain.names import plain
from modelyard.domain.records import Event, Model, ModelVersion, Source
from modelyard.domain.text import storable_problem
from modelyard.ports.service import Bundle
from modelyard.wire.codec import decode

LARGEST: Final = 1 << 30
"""Bytes of records that are read at most: they are held in memory, several times over."""
SUSPECT: Final = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
"""An escape without which no text of a document has a NUL or half a surrogate pair. Hardly any document has one, so
hardly any pays for looking at each text."""
MOST_NAMED = 20
"""Records that cannot be read and are named one by one."""
LONGEST_SPELLING = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of record that travels.

    Attributes:
        field: Its name in ``Bundle`` and in the document.
        record: The class.
        model: Name of the model whose chapter it belongs to; empty for the registry as a whole.
        left_out: Fields that each registry counts for itself.
        spelled: Fields by which people know one that cannot be read.
        optional: Not written where there are none, so that older builds read what has none.
    """

    field: str
    record: type
    model: Callable[[Any], str]
    left_out: tuple[str, ...] = ()
    spelled: tuple[str, ...] = ()
    optional: bool = False


KINDS: Final = (
    Kind(
        field="models",
        record=Model,
        model=lambda model: str(model.name),
        left_out=("revision",),
        spelled=("name",),
    ),
    Kind(
        field="versions",
        record=ModelVersion,
        model=lambda version: str(version.name),
        left_out=("revision", "artifact_path"),
        spelled=("name", "version"),
    ),
    Kind(
        field="events",
        record=Event,
        model=lambda event: str(event.model),
        spelled=("model", "sequence"),
    ),
    Kind(
        field="sources",
        record=Source,
        model=lambda source: "",
        left_out=("revision",),
        spelled=("kind", "target"),
        optional=True,
    ),
    Kind(
        field="experiments",
        record=Experiment,
        model=lambda experiment: str(experiment.model),
        left_out=("revision",),
        spelled=("model", "experiment_id"),
        optional=True,
    ),
    Kind(
        field="outcomes",
        record=Outcome,
        model=lambda outcome: str(outcome.model),
        left_out=("revision",),
        spelled=("model", "experiment_id", "unit"),
        optional=True,
    ),
    Kind(
        field="exposures",
        record=Exposure,
        model=lambda exposure: str(exposure.model),
        left_out=("revision",),
        spelled=("model", "experiment_id", "writer"),
        optional=True,
    ),
)
"""Everything that an export holds. A new kind is a row here and a field of ``Bundle``."""


def document(bundle: Bundle) -> bytes:
    """The records as canonical JSON."""
    parts: dict[str, Any] = {"format": FORMAT}
    for kind in KINDS:
        items = getattr(bundle, kind.field)
        if items or not kind.optional:
            parts[kind.field] = [_shown(kind, record) for record in items]
    return canonical(parts)


def _shown(kind: Kind, record: Any) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in fields(record) if f.name not in kind.left_out}


def chapters(bundle: Bundle) -> dict[str, Bundle]:
    """The records by model, in the order of their names; those of the registry as a whole under ``""``."""
    parts: dict[str, dict[str, list[Any]]] = {}
    for kind in KINDS:
        for record in getattr(bundle, kind.field):
            parts.setdefault(kind.model(record), {}).setdefault(kind.field, []).append(record)
    return {name: joined([parts[name]]) for name in sorted(parts)}


def joined(parts: Iterable[Mapping[str, Iterable[Any]] | Bundle]) -> Bundle:
    """All records of several parts together."""
    found: dict[str, list[Any]] = {kind.field: [] for kind in KINDS}
    for part in parts:
        for name, items in found.items():
            items += part.get(name, ()) if isinstance(part, Mapping) else getattr(part, name)
    return Bundle(**{name: tuple(items) for name, items in found.items()})


def parse(data: bytes, source: str) -> Bundle:
    """Records from a document.

    Raises:
        InvalidInput: It is none, or has records that cannot be read; those are named.
    """
    odd: list[str] = []
    try:
        text = data.decode()
        given = json.loads(text, parse_constant=_no_constant)
        if given["format"] != FORMAT:
            raise InvalidInput(f"{source} has format {given['format']!r}; this build reads format {FORMAT}")
        if unknown := given.keys() - {"format", *(kind.field for kind in KINDS)}:
            raise ValueError(f"it has unknown parts: {', '.join(sorted(unknown))}")
        suspect = SUSPECT.search(text) is not None
        bundle = joined([{kind.field: list(_decoded(kind, given, odd, suspect)) for kind in KINDS}])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{source} is not a bundle: {error!s:.200}") from error
    if odd:
        raise InvalidInput(
            f"{source} has {len(odd)} record(s) that cannot be read; nothing was imported: "
            "export without those models (names=)",
            reasons=odd[:MOST_NAMED],
        )
    return bundle


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _decoded(kind: Kind, given: Mapping[str, Any], odd: list[str], suspect: bool) -> Iterator[Any]:
    """Records of one kind. What cannot be read is named in ``odd``, so that one odd record tells which it is."""
    items = given.get(kind.field, []) if kind.optional else given[kind.field]
    if not isinstance(items, list):
        raise ValueError(f"{kind.field} must be a list, not {type(items).__name__}")
    for place, item in enumerate(items):
        try:
            if suspect:
                _check_texts(item)
            yield decode(kind.record, item)
        except ValueError as error:
            odd.append(f"{_spelled(kind, item) or f'{kind.record.__name__} {place + 1}'}: {error}")


def _check_texts(item: Any) -> None:
    """Raise ``ValueError`` for a text, a key included, that no store can hold."""
    if isinstance(item, str):
        if problem := storable_problem(item):
            raise ValueError(f"a text has {problem}")
    elif isinstance(item, dict):
        for key, value in item.items():
            _check_texts(key)
            _check_texts(value)
    elif isinstance(item, list):
        for value in item:
            _check_texts(value)


def _spelled(kind: Kind, item: Any) -> str:
    """How people call a record that cannot be read, as far as it says so itself."""
    given = item if isinstance(item, dict) else {}
    parts = [str(given[name]) for name in kind.spelled if name in given]
    joint = " event " if kind.record is Event else ":"
    return plain(joint.join(parts)[:LONGEST_SPELLING])
