"""How the cost of a read and of a commit grows with what is stored: 1,000, 10,000 and 100,000 versions.

    python benchmarks/bench_metadata.py [--sizes 1000,10000,100000] [--folder DIR] [--json FILE]

Versions carry 5 metrics, 5 tags and 10 params. ``one in N`` filters pick that share of all versions. Figures are the
median of repeated calls, in milliseconds; the last column is the limit that the project sets itself at 100,000.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sqlite import driver
from modelyard.domain.events import append
from modelyard.domain.policy import DEFAULT
from modelyard.domain.query import parse
from modelyard.domain.records import (
    Actor,
    Blob,
    Event,
    FileEntry,
    FlavorRecord,
    Metric,
    Model,
    ModelStage,
    ModelVersion,
    ScanReport,
)
from modelyard.ports.metadata import (
    BlobQuery,
    Changes,
    EventQuery,
    LabelKey,
    ModelKey,
    ModelQuery,
    MoveQuery,
    NumberKey,
    Put,
    TallyQuery,
    VersionKey,
    VersionQuery,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ACTOR = Actor(name="bench")
WORDS = ("risk", "churn", "credit", "vision", "speech", "ranking", "forecast", "anomaly", "intent", "pricing")


def digest(number: int) -> str:
    return f"sha256:{number * 2654435761 % 2**64:064x}"


def model_of(place: int) -> Model:
    name = f"{WORDS[place % 10]}-{place:04d}"
    return Model(
        name=name, key=name, slug=name, created_at=T0, created_by="bench", policy=DEFAULT, description="bench"
    )


def version_of(model: Model, number: int, place: int, draw: random.Random) -> ModelVersion:
    """A version as registration makes it of a small scikit-learn model."""
    blob = digest(place)
    globals_ = tuple(f"sklearn.linear_model._logistic.Part{n}" for n in range(6))
    params = {f"p{n}": draw.choice((0.1, 1.0, "auto", True, 100)) for n in range(10)}
    metrics = {f"m{n}": draw.random() for n in range(4)} | {"accuracy": draw.random()}
    tags = {
        "team": draw.choice(WORDS),
        "one_in_50": str(draw.randrange(50)),
        "one_in_1000": str(draw.randrange(1000)),
        "half": str(draw.randrange(2)),
        "commit": f"{draw.getrandbits(80):020x}",
    }
    return ModelVersion(
        model_id=f"01{place:024d}",
        name=model.name,
        number=number,
        version=f"1.{number}.0",
        created_at=T0 + timedelta(seconds=place),
        created_by="bench",
        files=(FileEntry(path="model.joblib", size=900 + place % 100, digest=blob),),
        flavor=FlavorRecord(name="joblib", entry="model.joblib", framework="scikit-learn", globals=globals_),
        framework="scikit-learn",
        algorithm="LogisticRegression",
        hyperparams=params,
        environment={"python": "3.11.7", "packages": {f"package-{n}": "1.0" for n in range(10)}},
        digest=digest(place + 2**40),
        content_digest=blob,
        stage=ModelStage.PRODUCTION if number == 1 else ModelStage.DEVELOPMENT,
        description=f"retrained on {draw.choice(WORDS)} data, run {place}",
        tags=tags,
        metrics=tuple(
            Metric(name=name, value=value, at=T0, by="bench", n=1000) for name, value in metrics.items()
        ),
        scans={blob: ScanReport(verdict="clean", format="joblib", kind="code-capable", globals=globals_)},
        revision=1,
    )


def step(
    model: Model, number: int, place: int, draw: random.Random
) -> tuple[Model, ModelVersion, Blob, Event]:
    """One registration: the version, its blob, its event and the model's new head."""
    version = version_of(model, number, place, draw)
    after = {f"version:{number}.stage": "development", "alias:champion": number}
    head, event = append(
        model,
        now=version.created_at,
        actor=ACTOR,
        action="register",
        subject=f"version:{number}",
        after=after,
    )
    blob = Blob(digest=version.files[0].digest, size=version.files[0].size, touched_at=T0, revision=1)
    return replace(head, last_number=number), version, blob, event


def fill(store: SqlMetadata, versions: int, models: int) -> list[Model]:
    """Versions in large commits, model after model; returns the models' last state."""
    draw = random.Random(7)
    heads, place = [], 0
    for number in range(models):
        model, versions_made, blobs, events = model_of(number), [], [], []
        for turn in range(1, versions // models + 1):
            model, version, blob, event = step(model, turn, (turn - 1) * models + number, draw)
            versions_made.append(version)
            blobs.append(blob)
            events.append(event)
            place += 1
        model = replace(model, revision=1)
        puts = tuple(Put(record=record, expected=0) for record in (model, *versions_made, *blobs))
        store.commit(Changes(puts=puts, events=tuple(events)))
        heads.append(model)
    return heads


def median_ms(call: Callable[[], object], rounds: int = 31) -> float:
    call()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def questions(
    heads: list[Model], versions: int
) -> dict[str, tuple[Callable[[SqlMetadata], Any], float | None]]:
    """Name of each row, what it calls, and the limit in ms at 100,000 versions."""
    name = heads[len(heads) // 2].key
    last = heads[0].last_number
    place = versions // 2

    def search(text: str, **more: Any) -> Callable[[SqlMetadata], Any]:
        asked = parse(text)
        query = VersionQuery(where=asked.where, order=asked.order, limit=50, **more)
        return lambda store: store.find(query)

    return {
        "get by id": (lambda s: s.get(VersionKey(f"01{place:024d}")), 0.5),
        "get by number": (lambda s: s.get(NumberKey(name, last)), 0.5),
        "get by label": (lambda s: s.get(LabelKey(name, f"1.{last}.0")), 0.5),
        "get model": (lambda s: s.get(ModelKey(name)), 0.5),
        "first 50 versions": (search(""), 5),
        "first 50 of a model": (search("", model_key=name), 5),
        "first 50 models": (lambda s: s.find(ModelQuery(limit=50)), 5),
        "metric, all": (search("metrics.accuracy >= 0"), 5),
        "metric, one in 50": (search("metrics.accuracy > 0.98"), 5),
        "metric, one in 1000": (search("metrics.accuracy > 0.999"), 5),
        "metric half + tag half": (search("metrics.accuracy > 0.5 and tags.half = '1'"), 5),
        "metric 1/10 + tag 1/10": (search("metrics.accuracy > 0.9 and tags.team = 'risk'"), 5),
        "metric 1/50 + tag 1/50": (search("metrics.accuracy > 0.98 and tags.one_in_50 = '7'"), 5),
        "metric half + tag 1/1000": (search("metrics.accuracy > 0.5 and tags.one_in_1000 = '7'"), 5),
        "metric 1/1000 + tag half": (search("metrics.accuracy > 0.999 and tags.half = '1'"), 5),
        "metric + tag, none": (search("metrics.accuracy > 2 and tags.half = '1'"), 5),
        "stage": (search("stage = 'production'"), 5),
        "best by metric": (search("order by metrics.accuracy desc"), 5),
        "best by metric with tag 1/10": (search("tags.team = 'risk' order by metrics.accuracy desc"), 5),
        "text, one version": (search(f"'run {place}'"), 10),
        "text, one in 10": (search("speech"), 10),
        "text, every version": (search("retrained"), 10),
        "text, nothing": (search("zzzzqq"), 10),
        "text, two letters": (search("ri"), 10),
        "models containing": (lambda s: s.find(ModelQuery(contains="isk-00", limit=50)), 10),
        "moves of a pointer": (lambda s: s.find(MoveQuery(model_key=name, pointer="alias:champion")), 10),
        "pointer at an instant": (
            lambda s: s.find(
                MoveQuery(
                    model_key=name, pointer="alias:champion", until=T0 + timedelta(seconds=place), limit=1
                )
            ),
            10,
        ),
        "events of a model": (lambda s: s.find(EventQuery(model_key=name, newest_first=True)), 10),
        "events behind a position": (lambda s: s.events(versions // 2, 100), 10),
        "unreferenced blobs": (lambda s: s.find(BlobQuery(unreferenced=True)), None),
        "count by stage": (lambda s: s.find(TallyQuery(by="stage")), None),
    }


def commits(store: SqlMetadata, heads: list[Model], versions: int) -> float:
    """Median of registrations one by one, each durable."""
    draw = random.Random(11)
    taken = []
    for turn in range(101):
        place = turn * 37 % len(heads)
        model = heads[place]
        head, version, blob, event = step(model, model.last_number + 1, versions + turn, draw)
        heads[place] = head
        version = replace(version, stage=ModelStage.DEVELOPMENT)
        puts = (
            Put(record=head, expected=head.revision - 1),
            Put(record=version, expected=0),
            Put(record=blob, expected=0),
        )
        changes = Changes(puts=puts, events=(event,))
        begun = time.perf_counter()
        store.commit(changes)
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def bare_commit(folder: Path) -> float:
    """The floor in the same minute: one row, one durable transaction."""
    connection = driver().connect(str(folder / "bare.db"), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (a, b)")

    def one() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t VALUES (1, 'x')")
        connection.execute("COMMIT")

    taken = median_ms(one, 101)
    connection.close()
    return taken


def measure(folder: Path, versions: int) -> dict[str, tuple[float, float | None]]:
    store = SqlMetadata(folder / f"{versions}.db")
    store.migrate()
    begun = time.perf_counter()
    heads = fill(store, versions, max(versions // 100, 1))
    filled = time.perf_counter() - begun
    rows: dict[str, tuple[float, float | None]] = {
        name: (median_ms(lambda call=call: call(store)), limit)
        for name, (call, limit) in questions(heads, versions).items()
    }
    rows["commit of a registration"] = (commits(store, heads, versions), 1.0)
    rows["bare one-row commit"] = (bare_commit(folder), None)
    rows["fill, ms a version"] = (filled * 1000 / versions, None)
    rows["file, KiB a version"] = (store.path.stat().st_size / 1024 / versions, None)
    store.close()
    (folder / "bare.db").unlink()
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sizes", default="1000,10000,100000")
    options.add_argument("--folder", type=Path)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        tables = {size: measure(Path(folder), size) for size in sizes}
    print(f"SQLite {driver().sqlite_version} ({driver().__name__.partition('.')[0]}), milliseconds")
    print(f"{'':32}" + "".join(f"{size:>10,}" for size in sizes) + f"{'limit':>8}")
    for name, (_, limit) in tables[sizes[0]].items():
        figures = "".join(f"{tables[size][name][0]:>10.3f}" for size in sizes)
        print(f"{name:32}{figures}{'' if limit is None else limit:>8}")
    if given.json:
        given.json.write_text(
            json.dumps({str(s): {n: f for n, (f, _) in t.items()} for s, t in tables.items()})
        )


if __name__ == "__main__":
    main()
