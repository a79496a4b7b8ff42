"""Questions through the public class: 100,000 versions over 1,000 models, and the same with fewer.

    python benchmarks/bench_queries.py [--sizes 1000,10000,100000] [--filled DIR]

10,000 versions are over 1,000 models too, 1,000 over 200. Versions carry 5 metrics, 5 tags and 10 params. Every tenth
version and the last one were promoted to production and under an alias, with every move in the event chain, and one
small real file per model stands in the blob store, so that ``status`` and ``get`` look at something. The records are
written straight into the store, one commit per model; everything measured goes through ``ModelRegistry``. Figures are
medians in milliseconds; a call about a model asks for another one than the call before. With ``--filled`` the
registries stay in that folder, and what is there is asked without being written again.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

from bench_metadata import ACTOR, T0, WORDS, model_of, version_of
from measuring import keep, options, table

from modelyard import ModelRegistry
from modelyard.domain.events import append
from modelyard.domain.pointers import Board
from modelyard.domain.records import Blob, Event, FileEntry, Model, ModelStage, ModelVersion
from modelyard.domain.versioning import rank
from modelyard.ports.metadata import Changes, Put
from modelyard.settings import Settings

PRODUCTION, DEPRECATED = ModelStage.PRODUCTION, ModelStage.DEPRECATED
EVERY = 10
"""Of this many versions of a model one was once in production; the first and the last one always were."""
MODELS, FEWEST = 1000, 5
"""Names in all, and the versions that each has at least."""


class Life:
    """One model's versions, registered and promoted one after the other, in memory."""

    def __init__(self, model: Model, entry: FileEntry, draw: random.Random) -> None:
        self.model, self.entry, self.draw = model, entry, draw
        self.versions: dict[int, ModelVersion] = {}
        self.events: list[Event] = []

    def register(self, number: int, place: int) -> None:
        """One more version, which ``latest`` then names."""
        version = version_of(self.model, number, place, self.draw)
        report = next(iter(version.scans.values()))
        version = replace(
            version,
            stage=ModelStage.DEVELOPMENT,
            files=(self.entry,),
            content_digest=self.entry.digest,
            scans={self.entry.path: report},
        )
        counted = replace(self.model, last_number=number, highest=version.version)
        board = Board(model=counted, at=version.created_at, actor=ACTOR)
        board.changed[number] = version
        subject = f"version:{number}"
        board.after[subject] = {"model_id": version.model_id, "version": version.version}
        board.after[f"{subject}.stage"] = version.stage
        board.latest(version, rank(version.version, number))
        self._keep(board, "version.registered", subject)

    def promote(self, number: int) -> None:
        """Into production and under the alias; who was there steps down."""
        version = self.versions[number]
        board = Board(model=self.model, at=version.created_at + timedelta(seconds=1), actor=ACTOR)
        for holder in self.model.holders.get(PRODUCTION.value, ()):
            board.stage(self.versions[holder], DEPRECATED)
        board.stage(version, PRODUCTION)
        present = self.model.aliases.get("champion")
        board.alias("champion", version, self.versions[present.number] if present else None)
        self._keep(board, "version.promoted", f"version:{number}")

    def _keep(self, board: Board, action: str, subject: str) -> None:
        self.model, event = append(
            board.model,
            now=board.at,
            actor=ACTOR,
            action=action,
            subject=subject,
            before=board.before,
            after=board.after,
        )
        self.versions.update(board.changed)
        self.events.append(event)

    def changes(self, blob: Blob) -> Changes:
        """Everything as one commit."""
        self.model = replace(self.model, revision=1)
        kept = [replace(version, revision=1) for version in self.versions.values()]
        puts = tuple(Put(record=record, expected=0) for record in (self.model, blob, *kept))
        return Changes(puts=puts, events=tuple(self.events))


def fill(registry: ModelRegistry, versions: int) -> list[Model]:
    """``versions`` in all, spread over the models; returns the models' last state."""
    models = min(MODELS, versions // FEWEST)
    last = versions // models
    service: Any = registry._service
    draw, heads = random.Random(7), []
    for place in range(models):
        info = service.put_blob([f"weights of model {place}".encode()])
        entry = FileEntry(path="model.joblib", size=info.size, digest=info.digest)
        life = Life(model_of(place), entry, draw)
        for number in range(1, last + 1):
            life.register(number, (number - 1) * models + place)
            if number % EVERY == 1 or number == last:
                life.promote(number)
        service.store.commit(
            life.changes(Blob(digest=info.digest, size=info.size, touched_at=T0, revision=1))
        )
        heads.append(life.model)
    return heads


def questions(
    registry: ModelRegistry, heads: Sequence[Model], versions: int
) -> dict[str, tuple[Callable[[], Any], float | None]]:
    """Name of each row, what it calls, and the aim in ms at 100,000 versions."""
    order = random.Random(3).sample(list(heads), len(heads))
    turn = cycle(order)
    run = cycle(random.Random(5).sample(range(versions), min(versions, 500)))
    draw = random.Random(9)
    commits = [registry.get_model(model.latest or "").tags["commit"] for model in order[:100]]
    half: datetime = T0 + timedelta(seconds=versions // 2)

    def get(form: str) -> Callable[[], Any]:
        return lambda: registry.get_model(form.format(m=next(turn)))

    def listed(**filters: Any) -> Callable[[], Any]:
        return lambda: registry.list_models(limit=50, **filters)

    def search(text: str) -> Callable[[], Any]:
        return lambda: registry.search_models(text, limit=50)

    def by_id() -> Any:
        return registry.get_model(next(turn).latest or "")

    return {
        "get by model_id": (by_id, 0.5),
        "get name (latest)": (get("{m.name}"), 0.5),
        "get name:label": (get("{m.name}:1.1.0"), 0.5),
        "get name:^1": (get("{m.name}:^1"), 0.5),
        "get name#number": (get("{m.name}#1"), 0.5),
        "get name@alias": (get("{m.name}@champion"), 0.5),
        "get name@alias~1": (get("{m.name}@champion~1"), 0.5),
        "get name@production": (get("{m.name}@production"), 0.5),
        "list, first 50": (listed(), 5),
        "list of a model, first 50": (lambda: registry.list_models(name=next(turn).name, limit=50), 5),
        "list in production, first 50": (listed(stage="production"), 5),
        "list metric half + tag half": (listed(where="metrics.accuracy > 0.5", tags={"half": "1"}), 5),
        "list metric 1/50 + tag 1/50": (listed(where="metrics.accuracy > 0.98", tags={"one_in_50": "7"}), 5),
        "search metric 1/10 + tag 1/10": (search("metrics.accuracy > 0.9 and tags.team = 'risk'"), 5),
        "search metric half + tag 1/1000": (
            search("metrics.accuracy > 0.5 and tags.one_in_1000 = '7'"),
            5,
        ),
        "search metric + tag, nothing": (search("metrics.accuracy > 2 and tags.half = '1'"), 5),
        "search best by metric": (search("order by metrics.accuracy desc"), 5),
        "text, one version": (
            lambda: registry.search_models(f"'data, run {next(run)}'", limit=50),
            10,
        ),
        "text, part of a tag": (lambda: registry.search_models(draw.choice(commits)[4:12], limit=50), 10),
        "text, one in 10": (search("speech"), 10),
        "text, every version": (search("retrained"), 10),
        "text, nothing": (search("zzzzqq"), 10),
        "names containing": (lambda: registry.list_names(f"{WORDS[4]}-00"), 10),
        "history of a model, first 50": (lambda: registry.history(next(turn).name, limit=50), 10),
        "history of a version": (lambda: registry.history(f"{next(turn).name}#1"), 10),
        "as_of production": (lambda: registry.as_of(next(turn).name, half), 10),
        "as_of alias": (lambda: registry.as_of(next(turn).name, half, "champion"), 10),
        "status": (lambda: registry.status(next(turn).name), None),
        "stats of the registry": (registry.get_registry_stats, None),
    }


def median_ms(call: Callable[[], object], most: int = 101, budget: float = 2.0) -> float:
    """Median of up to ``most`` calls, fewer when they would take longer than ``budget`` seconds."""
    call()
    taken: list[float] = []
    while len(taken) < 5 or (len(taken) < most and sum(taken) < budget):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


def heads_of(registry: ModelRegistry) -> list[Model]:
    """The models' last state in a registry that was filled before, in the order in which they were filled."""
    heads: list[Model] = []
    after: str | None = None
    while True:
        page = registry.service.list_models(limit=500, after=after)
        heads += page.items
        if page.next is None:
            return sorted(heads, key=lambda model: int(model.name[-4:]))
        after = page.next


def measure(folder: Path, versions: int) -> dict[str, tuple[float, float | None]]:
    """All rows at one size."""
    place = folder / str(versions)
    is_filled = place.exists()
    with ModelRegistry(place, config=Settings()) as registry:
        begun = time.perf_counter()
        heads = heads_of(registry) if is_filled else fill(registry, versions)
        what = "found" if is_filled else "written"
        print(f"{versions:,} versions {what} in {time.perf_counter() - begun:.0f} s", flush=True)
        asked = questions(registry, heads, versions)
        for file in place.glob("registry.db*"):
            file.read_bytes()  # or the system fetches pages from the disk, at 20 to 60 µs each
        return {name: (median_ms(call), aim) for name, (call, aim) in asked.items()}


def main() -> None:
    """Run and report."""
    parser = options(__doc__)
    parser.add_argument("--sizes")
    parser.add_argument("--filled", type=Path, help="a folder in which the registries stay")
    given = parser.parse_args()
    text = given.sizes or ("100,1000" if given.quick else "1000,10000,100000")
    sizes = [int(size) for size in text.split(",")]
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="bench-") as folder:
        found = {size: measure(given.filled or Path(folder), size) for size in sizes}
    rows = []
    for name, (_, aim) in found[sizes[0]].items():
        figures = [found[size][name][0] for size in sizes]
        rows.append((name, *figures, f"x{figures[-1] / figures[0]:.1f}", aim))
    table(("versions (ms)", *(f"{size:,}" for size in sizes), "growth", "aim"), rows)
    figures_by_size = {str(size): {n: ms for n, (ms, _) in rows.items()} for size, rows in found.items()}
    keep({"queries": figures_by_size}, given.json)


if __name__ == "__main__":
    main()
