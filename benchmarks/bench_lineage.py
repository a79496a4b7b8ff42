"""Following lineages: webs of 1,000 to 50,000 versions, through the public class.

    python benchmarks/bench_lineage.py [--quick] [--sizes 1000,5000,50000]

Each version comes from one to three of the forty before it and from one of 200 data sets; the records are written
straight into the store. Asked are the whole web upwards from the newest version, the whole web downwards from the
oldest, one step, what the most used data set reaches, and one link that has to look at every ancestor. Figures are
medians in milliseconds.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench_metadata import model_of, version_of
from measuring import keep, options, table, timed

from modelyard import ModelRegistry
from modelyard.domain.records import LineageEdge, ModelVersion
from modelyard.ports.metadata import Changes, Put
from modelyard.settings import Settings

NEAR, SETS = 40, 200


def web(count: int, draw: random.Random) -> tuple[list[ModelVersion], str]:
    """The versions, and the data set that most of them name."""
    model = model_of(0)
    made: list[ModelVersion] = []
    used: Counter[str] = Counter()
    for number in range(1, count + 1):
        near = made[-NEAR:]
        origins = draw.sample(near, min(len(near), draw.randint(1, 3)))
        name = f"s3://data/{draw.randrange(SETS)}"
        used[name] += 1
        edges = [LineageEdge(kind="merged_from", target=origin.model_id) for origin in origins]
        edges.append(LineageEdge(kind="dataset", target=name))
        made.append(replace(version_of(model, number, number, draw), lineage=tuple(edges)))
    return made, used.most_common(1)[0][0]


def filled(folder: Path, count: int) -> tuple[ModelRegistry, list[ModelVersion], str]:
    """A registry with the web in it."""
    registry = ModelRegistry(folder, config=Settings())
    made, name = web(count, random.Random(count))
    model = replace(model_of(0), last_number=count, revision=1)
    store: Any = registry._service
    store.store.commit(Changes(puts=tuple(Put(record=record, expected=0) for record in (model, *made))))
    return registry, made, name


def measured(folder: Path, count: int, rounds: int) -> dict[str, float]:
    """Milliseconds per question."""
    registry, made, name = filled(folder, count)
    oldest, newest = made[0].model_id, made[-1].model_id
    asked: dict[str, Callable[[int], object]] = {
        "up": lambda _: registry.lineage_graph(newest, "up"),
        "down": lambda _: registry.lineage_graph(oldest, "down"),
        "one step": lambda _: registry.lineage_graph(newest, depth=1),
        "affected": lambda _: registry.affected(name, kind="dataset"),
        "mermaid": lambda _: registry.lineage_graph(newest, "up").to_mermaid(),
    }
    figures = {what: _median(call, rounds) for what, call in asked.items()}
    user = registry.register_model(None, made[0].name)
    figures["link"] = _median(lambda turn: _link(registry, user, newest, turn), rounds)
    registry.close()
    return figures


def _link(registry: ModelRegistry, user: str, newest: str, turn: int) -> None:
    """One link whose target has all others above it; taken back outside of what counts would be fairer by 1 ms."""
    registry.link(user, "merged_from", newest, reason=str(turn))
    registry.unlink(user, "merged_from", newest)


def _median(call: Callable[[int], object], rounds: int) -> float:
    clock = timed(call)
    return round(statistics.median(clock(turn) for turn in range(rounds)) * 1000, 3)


def main() -> None:
    flags = options(__doc__)
    flags.add_argument("--sizes", default="1000,5000,50000")
    given = flags.parse_args()
    sizes = [200] if given.quick else [int(size) for size in given.sizes.split(",")]
    found: dict[str, dict[str, float]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            found[str(size)] = measured(Path(folder) / "registry", size, 3 if given.quick else 7)
    questions = list(next(iter(found.values())))
    table(
        ("ms", *(f"{size:,}" for size in sizes)), [(q, *(found[str(s)][q] for s in sizes)) for q in questions]
    )
    keep({"ms": found}, given.json)


if __name__ == "__main__":
    main()
