"""A registry of any size, as the rows that the stores' own writer makes of it, loaded in bulk.

Registering a million versions one by one would take most of an hour and measure nothing but registering. So records
are made in memory, with every event in its chain, the adapter's own ``Writer`` turns them into rows over a cursor that
only keeps them, and the database loads those (``COPY``, or one ``executemany`` a table) with its secondary indexes made
at the end. ``check`` finds nothing wrong with the result, which is what shows that it is the same.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench_metadata import T0, digest, model_of
from bench_queries import Life

from modelyard.adapters.metadata.dialect import SQLITE, Dialect
from modelyard.adapters.metadata.sql_write import Writer
from modelyard.domain.records import Blob, FileEntry, Model, ModelVersion
from modelyard.ports.metadata import Changes, Put

EVERY = 10
"""Of this many versions of a model one was once in production; the first and the last one always were."""
METRICS, TAGS, PARAMS = 3, 4, 3
"""What each version has of them; every one can be searched by."""
_INSERT = re.compile(r"INSERT INTO (\w+) \(([^)]*)\)")

Rows = dict[str, list[Mapping[str, Any]]]


class Keeping:
    """A cursor that keeps what is inserted, as if all else were not there.

    Args:
        number: The last number given to a version.
        position: The last one given to an event.
    """

    rowcount = 1

    def __init__(self, number: int, position: int) -> None:
        self.lastrowid, self.position = number, position
        self.rows: Rows = defaultdict(list)
        self._numbers: dict[str, int] = {}
        self._answer: list[tuple[Any, ...]] = []

    def execute(self, statement: str, given: Mapping[str, Any]) -> Keeping:
        """Keep an insert; find versions kept so far and the log's counter, and nothing else."""
        self._answer = []
        if statement.startswith("INSERT"):
            self.executemany(statement, [given])
            self._answer = [(self.lastrowid,)]
        elif "event_log" in statement:
            self.position += given["count"]
            self._answer = [(self.position,)]
        elif statement.startswith("SELECT model_id, id, revision"):
            found = [name for name in given.values() if name in self._numbers]
            self._answer = [(name, self._numbers[name], 1) for name in found]
        return self

    def executemany(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> Keeping:
        if not statement.startswith("INSERT INTO versions "):
            self.rows[_key(statement)].extend(rows)
            return self
        for row in rows:
            self.lastrowid += 1
            self._numbers[row["model_id"]] = self.lastrowid
            self.rows[_key(statement)].append({**row, "id": self.lastrowid})
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._answer[0] if self._answer else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._answer


def _key(statement: str) -> str:
    return statement.partition(" RETURNING")[0]


class Past(Life):
    """One model's life, each version with bytes and facts of its own."""

    def register(self, number: int, place: int) -> None:
        self.entry = FileEntry(path="model.joblib", size=900 + place % 100, digest=digest(place))
        super().register(number, place)

    def changes(self, blob: Blob) -> Changes:
        """Everything as one commit, with a blob for each version."""
        self.model = replace(self.model, revision=1)
        kept = [_smaller(replace(version, revision=1)) for version in self.versions.values()]
        files = [version.files[0] for version in kept]
        blobs = [replace(blob, digest=file.digest, size=file.size) for file in files]
        puts = tuple(Put(record=record, expected=0) for record in (self.model, *blobs, *kept))
        return Changes(puts=puts, events=tuple(self.events))


def _smaller(version: ModelVersion) -> ModelVersion:
    """With as many facts as this module says."""
    metrics = sorted(version.metrics, key=lambda metric: metric.name)[:METRICS]
    return replace(
        version,
        metrics=tuple(metrics),
        tags=dict(list(version.tags.items())[:TAGS]),
        hyperparams=dict(list(version.hyperparams.items())[:PARAMS]),
    )


def name_of(place: int) -> str:
    """Name and key of the model at a place."""
    return model_of(place).name


def live(place: int, last: int, models: int) -> Past:
    """One model with ``last`` versions, among ``models``."""
    life = Past(model_of(place), FileEntry(path="", size=0, digest=""), random.Random(place))
    for number in range(1, last + 1):
        life.register(number, (number - 1) * models + place)
        if number % EVERY == 1 or number == last:
            life.promote(number)
    return life


def rows_of(places: range, last: int, models: int, dialect: Dialect) -> tuple[Rows, list[Model]]:
    """What some models are in the tables of one kind of database, and the models' last state.

    Rows stand behind those of all models before, as if these had been written first.
    """
    events = last + len([n for n in range(1, last + 1) if n % EVERY == 1 or n == last])
    cursor = Keeping(places.start * last, places.start * events)
    heads = []
    for place in places:
        life = live(place, last, models)
        changes = life.changes(Blob(digest="", size=0, touched_at=T0, revision=1))
        Writer(cursor, words=False, dialect=dialect).apply(changes)
        heads.append(life.model)
    return cursor.rows, heads


# --- loading ---------------------------------------------------------------------------------------------------------


def tables(rows: Rows) -> Iterator[tuple[str, list[str], list[Mapping[str, Any]]]]:
    """Table, columns and rows of each kind of insert."""
    for statement, kept in rows.items():
        found = _INSERT.match(statement)
        assert found is not None, statement
        columns = [name.strip(' "') for name in found[2].split(",")]
        if found[1] == "versions":
            columns = ["id", *columns]
        yield found[1], columns, kept


def load_sqlite(connection: Any, rows: Rows) -> None:
    """Into tables whose order of rows is that of their keys."""
    for table, columns, kept in tables(rows):
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join(f":{name}" for name in columns)
        connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", kept)


def load_postgresql(connection: Any, rows: Rows) -> None:
    """The same by ``COPY``. ``connection``: psycopg's own."""
    for table, columns, kept in sorted(tables(rows), key=lambda item: item[0] not in ("versions", "models")):
        names = ", ".join(f'"{name}"' for name in columns)
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in kept:
                copy.write_row([row.get(name) for name in columns])


__all__ = ["SQLITE", "live", "load_postgresql", "load_sqlite", "name_of", "rows_of", "tables"]
