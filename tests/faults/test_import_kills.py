"""An import that dies at any moment and is repeated ends where one that was left alone ends."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelyard import ModelRegistry
from modelyard.settings import Settings

from .conftest import Order
from .tracing import MANY, Point, both, disturbed, points, run

BROUGHT = ("fraud", "other", "third")
STEPS = (("store", "commit"), ("", "put_blob"), ("blobs", "put"), ("", "import_"))


@pytest.fixture
def target(past: Path) -> Path:
    """A registry of which a model has gone on elsewhere, and one has another history there."""
    with ModelRegistry(past, config=Settings()) as registry:
        registry.register_model(None, "clash", "9.0.0")
    return past


@pytest.fixture
def told(order: Order, workshop: Path, room: Path) -> dict[str, Any]:
    """The order to import a bundle that brings a model forward, renumbers one and has two that are new."""
    made = dict(order("import"))
    source = shutil.copytree(workshop / "template", room / "source")
    with ModelRegistry(source, config=Settings()) as registry:
        for name, size in (
            ("fraud", 4_000),
            ("other", 1_200_000),
            ("third", 10),
            ("clash", 20),
            ("clash", 30),
        ):
            place = room / f"{name}-{size}"
            place.write_bytes(random.Random(size).randbytes(size))
            registry.register_model(place, name, alias="best")
        bundle = Path(made["inputs"]) / "bundle.tar"
        bundle.unlink()
        registry.export_registry(bundle)
    return made


def state(root: Path, room: Path) -> Any:
    """All that an import leaves, without what is new each time: identifiers and times of renumbered versions."""
    with ModelRegistry(root, config=Settings()) as registry:
        assert registry.fsck(deep=True).findings == ()
        assert registry.verify_audit().ok
        whole = registry.export_registry(room / f"{root.name}.tar", names=BROUGHT)
        events = [event.after for event in registry.history("", newest_first=False)]
        clash = [
            (v.number, v.version, v.content_digest, v.attributes.get("imported_from"), tuple(v.aliases))
            for v in registry.list_models(name="clash")
        ]
        blobs = sorted(info.digest for info in registry._service.blobs.list())
        return whole.read_bytes(), events, sorted(clash), blobs


@pytest.fixture
def undisturbed(told: dict[str, Any], target: Path, room: Path) -> Any:
    """What one clean import leaves."""
    root = shutil.copytree(target, room / "clean")
    outcome = run({**told, "root": str(root)})
    assert outcome.survived, outcome.errors
    with ModelRegistry(root, config=Settings()) as registry:
        assert registry.list_names() == ["clash", "fraud", "other", "third"]
        assert [v.version for v in registry.list_models(name="clash")] == ["0.1.1", "0.1.0", "9.0.0"]
    return state(root, room)


def repeated(told: dict[str, Any], root: Path, room: Path) -> Any:
    outcome = run({**told, "root": str(root)})
    assert outcome.survived, outcome.errors
    return state(root, room)


def killed_at_some(
    told: dict[str, Any], target: Path, room: Path, count: int, every: int = 1
) -> Iterator[tuple[Point, Any]]:
    """The states after a kill at that many moments, chosen at random among all, and a repeat.

    Of calls that come in long rows, take only every so many.
    """
    known = points({**told, "root": str(shutil.copytree(target, room / "counted"))})
    found = [point for point in known if point.call not in MANY or point.nth % every == 0]
    assert len(found) > 60
    chosen = random.Random(7).sample(found, min(count, len(found)))

    def one(point: Point) -> tuple[Point, Any]:
        root = shutil.copytree(target, room / str(point))
        outcome = disturbed({**told, "root": str(root)}, point, "signal=KILL")
        assert outcome.code == -9, outcome.errors
        return point, repeated(told, root, room)

    yield from both(one, chosen)


@pytest.mark.faults
@pytest.mark.usefixtures("strace")
def test_an_import_killed_at_a_dozen_random_moments_and_repeated_equals_a_clean_one(
    told: dict[str, Any], target: Path, room: Path, undisturbed: Any
) -> None:
    for point, found in killed_at_some(told, target, room, 12):
        assert found == undisturbed, point


@pytest.mark.long
@pytest.mark.faults
@pytest.mark.usefixtures("strace")
def test_an_import_killed_at_every_moment_and_repeated_equals_a_clean_one(
    told: dict[str, Any], target: Path, room: Path, undisturbed: Any
) -> None:
    """Of the pages that a commit writes, only every fourth: they count when the commit is synced, and not before."""
    for point, found in killed_at_some(told, target, room, 10_000, every=4):
        assert found == undisturbed, point


@pytest.mark.parametrize("step", STEPS, ids="-".join)
def test_an_import_killed_after_each_of_its_steps_and_repeated_equals_a_clean_one(
    told: dict[str, Any], target: Path, room: Path, undisturbed: Any, step: tuple[str, str]
) -> None:
    for nth in range(1, 100):
        root = shutil.copytree(target, room / f"{step[1]}-{nth}")
        outcome = run({**told, "root": str(root), "failpoints": [(*step, "after", nth)]})
        if outcome.survived:
            break
        assert outcome.code == -9, outcome.errors
        assert repeated(told, root, room) == undisturbed, f"after call {nth}"
    assert nth > 1, "the step was never come to"
