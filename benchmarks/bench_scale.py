"""A million versions in 10,000 models, in SQLite and in PostgreSQL: what a question costs, and what a version takes.

    python -m benchmarks.bench_scale fill   --folder DIR --database sqlite      # again until it says "complete"
    python -m benchmarks.bench_scale ask    --folder DIR --database sqlite      # percentiles per question
    python -m benchmarks.bench_scale sizes  --folder DIR --database sqlite      # bytes per version and table
    python -m benchmarks.bench_scale check  --folder DIR --database sqlite      # every row digest, every derived row

``fill`` works for ``--seconds`` and goes on where it stopped; it takes about ten minutes and 8 GB of disk in all.
Versions carry 3 metrics, 4 tags and 3 params, and bytes of their own; every tenth version of a model and the last one
were promoted to production and under an alias (see ``scale_rows``). ``ask`` goes through ``ModelRegistry``; every call
asks about another model, tag or bound than the one before, so that nothing is answered twice. PostgreSQL is one of this
machine, started for the call and stopped after it, with 4 GB of shared buffers: a sixth of what the machine had that
the published figures are from. Before the first question memory is given what they read (``warm``); what the first
questions after a start cost depends on the disk alone. ``--cold`` leaves that out, with 512 MB of shared buffers.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the benchmarks are programs and import each other by their plain names

from bench_metadata import T0, WORDS  # noqa: E402
from measuring import keep, percentile, table  # noqa: E402
from scale_rows import load_postgresql, load_sqlite, name_of, rows_of  # noqa: E402
from tests.services import postgresql  # noqa: E402

from modelyard import ModelRegistry  # noqa: E402
from modelyard.adapters.metadata.dialect import SQLITE  # noqa: E402
from modelyard.adapters.metadata.engines import open_server  # noqa: E402
from modelyard.adapters.metadata.postgresql import POSTGRESQL  # noqa: E402
from modelyard.adapters.metadata.sql import SqlMetadata  # noqa: E402
from modelyard.adapters.metadata.sqlite import driver  # noqa: E402
from modelyard.settings import Settings  # noqa: E402

MODELS, EACH, AT_ONCE = 10_000, 100, 50
AIM = 50.0
"""Milliseconds that 99 of 100 calls may take."""


# --- one kind of database --------------------------------------------------------------------------------------------


class Sqlite:
    """A registry's folder."""

    dialect = SQLITE

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sqlite"
        self.folder.mkdir(exist_ok=True, parents=True)
        self.path = self.folder / "registry.db"

    @contextmanager
    def filling(self) -> Iterator[Any]:
        """A connection that syncs nothing: who is interrupted begins anew."""
        with closing(SqlMetadata(self.path)) as store:
            store.migrate()
        connection = driver().connect(str(self.path), isolation_level=None)
        for pragma in ("journal_mode = MEMORY", "synchronous = OFF", "cache_size = -1500000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE IF NOT EXISTS later (statement TEXT)")
        yield connection
        connection.close()

    def indexes(self, connection: Any) -> list[tuple[str, str]]:
        found = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        )
        return list(found.fetchall())

    def load(self, connection: Any, rows: Any) -> None:
        connection.execute("BEGIN")
        load_sqlite(connection, rows)
        connection.execute("COMMIT")

    def words(self) -> list[str]:
        """Statements that fill the full-text table, for a tenth of all versions each."""
        step = MODELS * EACH // 10
        return [
            "INSERT INTO version_words (rowid, search) SELECT id, search FROM version_texts "
            f"WHERE id > {place * step} AND id <= {(place + 1) * step} ORDER BY id"
            for place in range(10)
        ]

    def complete(self, connection: Any, models: int) -> None:
        connection.execute("DROP TABLE later")

    @contextmanager
    def settings(self, *, cold: bool) -> Iterator[Settings]:
        if not cold:
            with self.path.open("rb") as file:
                while file.read(2**24):
                    pass
        yield Settings()

    def sizes(self) -> dict[str, int]:
        """Bytes by table, its indexes included."""
        connection = driver().connect(str(self.path))
        try:
            found = connection.execute(
                "SELECT m.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_master m ON m.name = d.name "
                "WHERE d.aggregate = TRUE GROUP BY m.tbl_name"
            )
            return dict(found.fetchall())
        except driver().OperationalError:  # a library without dbstat
            return {"all": self.path.stat().st_size}
        finally:
            connection.close()


class Postgresql:
    """A server of our own, whose cluster stays in the folder."""

    dialect = POSTGRESQL

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "postgresql"
        self.folder.mkdir(exist_ok=True, parents=True)

    @contextmanager
    def running(self, buffers: str = "512MB") -> Iterator[str]:
        folder = self.folder / "cluster"
        found = postgresql.programs()
        server = postgresql.Server(found[min(found)], folder)
        if not folder.exists():
            folder.mkdir()
            server.make()
            with (folder / "data" / "postgresql.auto.conf").open("a") as settings:
                settings.write("max_wal_size = '8GB'\nmaintenance_work_mem = '1GB'\nautovacuum = off\n")
        # Given on the command line, buffers win over any file: the kit's own 32 MB are meant for tests.
        postgresql.OPTIONS = (
            "fsync=off",
            "full_page_writes=off",
            f"shared_buffers={buffers}",
            "max_connections=50",
        )
        server.start()
        try:
            yield server.url
        finally:
            server._control("-m", "fast", "stop")

    @contextmanager
    def filling(self) -> Iterator[Any]:
        import psycopg

        with self.running() as url:
            with closing(open_server(url, pool_size=2)) as store:
                store.migrate()
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS later (statement TEXT)")
                yield connection

    def indexes(self, connection: Any) -> list[tuple[str, str]]:
        return list(
            connection.execute(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
                "AND indexname LIKE 'ix\\_%'"
            ).fetchall()
        )

    def load(self, connection: Any, rows: Any) -> None:
        with connection.transaction():
            load_postgresql(connection, rows)

    def words(self) -> list[str]:
        return []

    def complete(self, connection: Any, models: int) -> None:
        for name in ("versions", "models"):
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))"
            )
        connection.execute("UPDATE event_log SET position = (SELECT max(position) FROM events)")
        connection.execute("VACUUM ANALYZE")
        connection.execute("DROP TABLE later")

    def _warm(self, url: str) -> None:
        """Read what searches read into the server's memory; the extension is one that PostgreSQL brings along."""
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
            connection.execute(
                "SELECT sum(pg_prewarm(oid)) FROM pg_class WHERE relkind IN ('r', 'i') "
                "AND relnamespace = 'public'::regnamespace AND relname ~ 'version|models'"
            )

    @contextmanager
    def settings(self, *, cold: bool) -> Iterator[Settings]:
        with self.running("512MB" if cold else "4GB") as url:
            if not cold:
                self._warm(url)
            given = Settings()
            yield replace(given, database=replace(given.database, url=url))

    def sizes(self) -> dict[str, int]:
        import psycopg

        with self.running() as url, psycopg.connect(url) as connection:
            found = connection.execute(
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
            return dict(found.fetchall())


KINDS: Mapping[str, Any] = {"sqlite": Sqlite, "postgresql": Postgresql}


# --- filling ---------------------------------------------------------------------------------------------------------


def fill(kind: Any, models: int, seconds: float) -> bool:
    """One piece of the work; whether all of it is done."""
    deadline = time.monotonic() + seconds
    with kind.filling() as connection:
        done = _count(connection, "SELECT count(*) FROM models")
        if not done:
            _postpone(kind, connection)
        while done < models and time.monotonic() < deadline:
            places = range(done, min(done + AT_ONCE, models))
            kind.load(connection, rows_of(places, EACH, models, kind.dialect)[0])
            done = places.stop
        print(f"{done * EACH:,} versions", flush=True)
        if done < models:
            return False
        while time.monotonic() < deadline:
            found = connection.execute("SELECT statement FROM later ORDER BY statement LIMIT 1").fetchone()
            if found is None:
                kind.complete(connection, models)
                return True
            begun = time.monotonic()
            connection.execute(found[0])
            quoted = found[0].replace("'", "''")
            connection.execute(f"DELETE FROM later WHERE statement = '{quoted}'")
            print(f"{time.monotonic() - begun:6.1f} s  {found[0][:90]}", flush=True)
    return False


def _postpone(kind: Any, connection: Any) -> None:
    """Make the secondary indexes at the end, when all rows can be sorted at once."""
    for name, statement in kind.indexes(connection):
        connection.execute(f"DROP INDEX {name}")
        _later(connection, statement)
    for statement in kind.words():
        _later(connection, statement)


def _later(connection: Any, statement: str) -> None:
    quoted = statement.replace("'", "''")
    connection.execute(f"INSERT INTO later VALUES ('{quoted}')")


def _count(connection: Any, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])


# --- asking ----------------------------------------------------------------------------------------------------------


def questions(registry: ModelRegistry, models: int) -> dict[str, Callable[[], Any]]:
    """Every row, and what one call of it asks."""
    draw = random.Random(17)

    def name() -> str:
        return name_of(draw.randrange(models))

    def get(form: str) -> Callable[[], Any]:
        return lambda: registry.get_model(form.format(name=name(), number=draw.randrange(1, EACH + 1)))

    def search(make: Callable[[], str]) -> Callable[[], Any]:
        return lambda: registry.search_models(make(), limit=50)

    def bound(share: float) -> float:
        return round(1 - share * draw.uniform(0.8, 1.2), 6)

    def moment() -> Any:
        return T0 + timedelta(seconds=draw.randrange(models * EACH // 2, models * EACH))

    return {
        "get name:label": get("{name}:1.{number}.0"),
        "get name#number": get("{name}#{number}"),
        "get name (latest)": get("{name}"),
        "get name@alias": get("{name}@champion"),
        "get name@production (stage)": get("{name}@production"),
        "get name@alias~1": get("{name}@champion~1"),
        "get name:^1": get("{name}:^1"),
        "list, first 50": lambda: registry.list_models(limit=50),
        "list of a model, first 50": lambda: registry.list_models(name=name(), limit=50),
        "list in production, first 50": lambda: registry.list_models(stage="production", limit=50),
        "search tag, one in 10": search(lambda: f"tags.team = '{draw.choice(WORDS)}'"),
        "search tag, one in 50": search(lambda: f"tags.one_in_50 = '{draw.randrange(50)}'"),
        "search tag, one in 1,000": search(lambda: f"tags.one_in_1000 = '{draw.randrange(1000)}'"),
        "search metric, half": search(lambda: f"metrics.accuracy > {bound(0.5)}"),
        "search metric, one in 50": search(lambda: f"metrics.accuracy > {bound(0.02)}"),
        "search metric, one in 1,000": search(lambda: f"metrics.accuracy > {bound(0.001)}"),
        "search metric half + tag half": search(
            lambda: f"metrics.accuracy > {bound(0.5)} and tags.half = '{draw.randrange(2)}'"
        ),
        "search metric 1/50 + tag 1/50": search(
            lambda: f"metrics.accuracy > {bound(0.02)} and tags.one_in_50 = '{draw.randrange(50)}'"
        ),
        "search tag half + tag 1/50": search(
            lambda: f"tags.half = '{draw.randrange(2)}' and tags.one_in_50 = '{draw.randrange(50)}'"
        ),
        "search metric half + tag 1/1,000": search(
            lambda: f"metrics.accuracy > {bound(0.5)} and tags.one_in_1000 = '{draw.randrange(1000)}'"
        ),
        "search metric + tag, nothing": search(
            lambda: f"metrics.accuracy > {1 + draw.random()} and tags.half = '1'"
        ),
        "search best by metric": search(lambda: "order by metrics.m0 desc"),
        "search best by metric, tag one in 10": search(
            lambda: f"tags.team = '{draw.choice(WORDS)}' order by metrics.m0 desc"
        ),
        "search best by metric, tag one in 50": search(
            lambda: f"tags.one_in_50 = '{draw.randrange(50)}' order by metrics.m0 desc"
        ),
        "search best by metric, tag one in 1,000": search(
            lambda: f"tags.one_in_1000 = '{draw.randrange(1000)}' order by metrics.m0 desc"
        ),
        "search best by metric, below a bound": search(
            lambda: f"metrics.m0 < {bound(0.1)} order by metrics.m0 desc"
        ),
        "text, one version": search(lambda: f"'data, run {draw.randrange(models * EACH)}'"),
        "text, one in 10": search(lambda: draw.choice(WORDS)),
        "text, nothing": search(lambda: f"zzz{draw.randrange(1000)}qq"),
        "names, first 50": lambda: registry.service.list_models("", limit=50),
        "history of a model, first 50": lambda: registry.history(name(), limit=50),
        "history of a version": lambda: registry.history(f"{name()}#{draw.randrange(1, EACH + 1)}"),
        "as_of production": lambda: registry.as_of(name(), moment()),
        "status": lambda: registry.status(name()),
    }


def ask(kind: Any, models: int, budget: float, *, cold: bool) -> dict[str, dict[str, float]]:
    """Percentiles of each row; a row is asked for ``budget`` seconds, at most 400 times."""
    figures = {}
    with kind.settings(cold=cold) as settings, ModelRegistry(kind.folder, config=settings) as registry:
        for name, call in questions(registry, models).items():
            call()
            taken: list[float] = []
            while len(taken) < 400 and (sum(taken) < budget * 1000 or len(taken) < 5):
                begun = time.perf_counter()
                call()
                taken.append((time.perf_counter() - begun) * 1000)
            figures[name] = {
                "median": round(percentile(taken, 0.5), 3),
                "p99": round(percentile(taken, 0.99), 3),
                "worst": round(max(taken), 3),
                "rounds": len(taken),
            }
            print(f"{name:36}" + "".join(f"{value:>12}" for value in figures[name].values()), flush=True)
    return figures


def check(kind: Any) -> list[str]:
    """What the store finds wrong with itself."""
    if isinstance(kind, Sqlite):
        with closing(SqlMetadata(kind.path)) as store:
            return list(store.check())
    with kind.running() as url, closing(open_server(url, pool_size=2)) as store:
        return list(store.check())


def main() -> None:
    """Do one step and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("step", choices=("fill", "ask", "sizes", "check"))
    parser.add_argument("--database", choices=tuple(KINDS), default="sqlite")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--models", type=int, default=MODELS)
    parser.add_argument("--seconds", type=float, default=120, help="how long fill works, or ask per question")
    parser.add_argument("--cold", action="store_true", help="ask of a server and a disk that just started")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    kind = KINDS[given.database](given.folder)
    if given.step == "fill":
        print("complete" if fill(kind, given.models, given.seconds) else "to be continued")
    elif given.step == "sizes":
        found = kind.sizes()
        rows = [
            (name, size, round(size / given.models / EACH, 1)) for name, size in sorted(found.items()) if size
        ]
        table(("bytes", "all", "a version"), [*rows, ("sum", sum(found.values()), "")])
        keep(found, given.json)
    elif given.step == "check":
        print(json.dumps(check(kind)[:20], indent=1))
    else:
        print(f"{'ms':36}{'median':>12}{'p99':>12}{'worst':>12}{'calls':>12}")
        found = ask(kind, given.models, min(given.seconds, 10), cold=given.cold)
        missed = [name for name, row in found.items() if row["p99"] > AIM]
        print(f"above {AIM:.0f} ms: {', '.join(missed) or 'nothing'}")
        keep({given.database: found}, given.json)


if __name__ == "__main__":
    main()
