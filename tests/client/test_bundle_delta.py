"""Bundles that leave out what an earlier one has."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard import BlobNotFound, InvalidInput, ModelRegistry
from modelyard.client import bundle
from modelyard.domain.errors import NotFound
from modelyard.ports import service as ask

from .forging import members


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[ModelRegistry]:
    with ModelRegistry(tmp_path / "elsewhere") as registry:
        yield registry


def add(registry: ModelRegistry, data: bytes, name: str = "fraud") -> str:
    return registry.register_model(io.BytesIO(data), name)


def same(one: ModelRegistry, other: ModelRegistry, place: Path) -> bool:
    """Whether both export the same bytes."""
    files = [
        r.export_registry(place / f"{n}-{len(os.listdir(place))}.tar") for n, r in enumerate((one, other))
    ]
    return files[0].read_bytes() == files[1].read_bytes()


def test_base_and_delta_make_what_a_whole_export_makes(
    registry: ModelRegistry, elsewhere: ModelRegistry, tmp_path: Path
) -> None:
    add(registry, b"one")
    add(registry, b"kept", "other")
    base = registry.export_registry(tmp_path / "base.tar")
    add(registry, b"two")
    registry.set_alias("fraud", "best", "#2")
    delta = registry.export_registry(tmp_path / "delta.tar", since=base)
    assert {b"one", b"two", b"kept"} & set(dict(members(delta)).values()) == {b"two"}
    assert elsewhere.import_registry(base).models == {"fraud": "taken", "other": "taken"}
    done = elsewhere.import_registry(delta)
    assert (done.models, done.versions, done.blobs) == ({"fraud": "forwarded"}, 1, 1)
    assert same(registry, elsewhere, tmp_path)
    assert elsewhere.import_registry(delta).models == {"fraud": "unchanged"}


def test_deltas_follow_each_other(registry: ModelRegistry, elsewhere: ModelRegistry, tmp_path: Path) -> None:
    before: Path | None = None
    for number in range(4):
        add(registry, b"%d" % number, f"model-{number % 2}")
        here = registry.export_registry(tmp_path / f"d{number}.tar", since=before)
        assert len([d for d in dict(members(here)).values() if len(d) == 1]) == 1
        elsewhere.import_registry(here)
        before = here
    assert same(registry, elsewhere, tmp_path)


def test_nothing_new_is_nothing_but_a_table(
    registry: ModelRegistry, elsewhere: ModelRegistry, tmp_path: Path
) -> None:
    add(registry, b"one")
    base = registry.export_registry(tmp_path / "base.tar")
    delta = registry.export_registry(tmp_path / "delta.tar", since=base)
    assert bundle.summary(delta)["base"] == bundle.summary(base)["digest"]
    elsewhere.import_registry(base)
    assert (elsewhere.import_registry(delta).models, len(members(delta))) == ({}, 5)


def test_one_file_of_a_large_version_costs_a_twentieth_at_most(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.bin").write_bytes(os.urandom(100_000))
    registry.register_model(folder, "large")
    base = registry.export_registry(tmp_path / "base.tar")
    (folder / "7.bin").write_bytes(os.urandom(100_000))
    registry.register_model(folder, "large")
    delta = registry.export_registry(tmp_path / "delta.tar", since=base)
    assert delta.stat().st_size < base.stat().st_size / 20


def test_without_its_base_a_delta_says_what_lacks(
    registry: ModelRegistry, elsewhere: ModelRegistry, tmp_path: Path
) -> None:
    add(registry, b"one")
    add(registry, b"kept", "other")
    base = registry.export_registry(tmp_path / "base.tar")
    add(registry, b"two")
    delta = registry.export_registry(tmp_path / "delta.tar", since=base)
    with pytest.raises(NotFound, match="import that bundle first") as caught:
        elsewhere.import_registry(delta)
    assert caught.value.reasons == ("other",)
    assert caught.value.data["base"] == bundle.summary(base)["digest"]
    assert (elsewhere.list_names(), list(elsewhere._service.blobs.list())) == ([], [])


def test_files_that_only_the_base_has_are_missed_by_name(
    registry: ModelRegistry, elsewhere: ModelRegistry, tmp_path: Path
) -> None:
    add(registry, b"one")
    base = registry.export_registry(tmp_path / "base.tar")
    add(registry, b"two")
    delta = registry.export_registry(tmp_path / "delta.tar", since=base)
    with pytest.raises(BlobNotFound, match="1 of its files") as caught:
        elsewhere.import_registry(delta)
    assert caught.value.reasons == (registry.get_model("fraud#1").files[0].digest,)
    assert elsewhere.list_names() == []


def test_a_base_of_another_state_of_a_model_is_not_enough(
    registry: ModelRegistry, elsewhere: ModelRegistry, tmp_path: Path
) -> None:
    add(registry, b"kept", "other")
    old = registry.export_registry(tmp_path / "old.tar")
    add(registry, b"more", "other")
    base = registry.export_registry(tmp_path / "base.tar")
    add(registry, b"one")
    delta = registry.export_registry(tmp_path / "delta.tar", since=base)
    elsewhere.import_registry(old)
    with pytest.raises(NotFound, match="1 model"):
        elsewhere.import_registry(delta)
    elsewhere.import_registry(base)
    elsewhere.import_registry(delta)
    assert same(registry, elsewhere, tmp_path)


def test_a_base_that_was_taken_under_other_numbers_counts(
    registry: ModelRegistry, elsewhere: ModelRegistry, tmp_path: Path
) -> None:
    add(elsewhere, b"mine", "other")
    add(registry, b"kept", "other")
    base = registry.export_registry(tmp_path / "base.tar")
    add(registry, b"one")
    delta = registry.export_registry(tmp_path / "delta.tar", since=base)
    with pytest.raises(NotFound):
        elsewhere.import_registry(delta)
    assert elsewhere.import_registry(base).models == {"other": "renumbered"}
    assert elsewhere.import_registry(delta).models == {"fraud": "taken"}


def test_history_that_has_gone_on_since_the_base_still_holds_it(
    registry: ModelRegistry, elsewhere: ModelRegistry, tmp_path: Path
) -> None:
    add(registry, b"kept", "other")
    base = registry.export_registry(tmp_path / "base.tar")
    add(registry, b"one")
    delta = registry.export_registry(tmp_path / "delta.tar", since=base)
    elsewhere.import_registry(base)
    add(elsewhere, b"mine", "other")
    assert elsewhere.import_registry(delta).models == {"fraud": "taken"}


def test_only_a_bundle_with_bytes_can_be_continued(registry: ModelRegistry, tmp_path: Path) -> None:
    add(registry, b"one")
    records = registry.export_registry(tmp_path / "base.json")
    with pytest.raises(InvalidInput, match=r"which a \.tar is"):
        registry.export_registry(tmp_path / "delta.tar", since=records)
    base = registry.export_registry(tmp_path / "base.tar")
    with pytest.raises(InvalidInput, match=r"only a \.tar"):
        registry.export_registry(tmp_path / "delta.json", since=base)
    with pytest.raises(InvalidInput, match="there is no bundle"):
        registry.export_registry(tmp_path / "delta.tar", since=tmp_path / "nowhere.tar")
    assert not list(tmp_path.glob("delta*"))


def test_withdrawn_data_travels_although_no_model_changed(
    registry: ModelRegistry, elsewhere: ModelRegistry, tmp_path: Path
) -> None:
    registry.register_model(None, "fraud", lineage=[("dataset", "s3://data/train")])
    base = registry.export_registry(tmp_path / "base.tar")
    registry.withdraw("s3://data/train", "consent was taken back", kind="dataset")
    delta = registry.export_registry(tmp_path / "delta.tar", since=base)
    elsewhere.import_registry(base)
    elsewhere.import_registry(delta)
    withdrawn = elsewhere.affected("s3://data/train", kind="dataset").withdrawn
    assert withdrawn is not None
    assert withdrawn.reason == "consent was taken back"
    assert same(registry, elsewhere, tmp_path)
    again = registry.export_registry(tmp_path / "again.tar", since=delta)
    assert elsewhere.import_registry(again).models == {}


def test_outcomes_travel_although_no_event_tells_of_them(
    registry: ModelRegistry, elsewhere: ModelRegistry, tmp_path: Path
) -> None:
    for data in (b"one", b"two"):
        add(registry, data)
    service = registry._service
    trial = service.begin_experiment(
        ask.BeginExperiment(
            model="fraud", variants={"A": "1", "B": "2"}, kind="numeric", guardrails={"max_latency_ms": 40}
        )
    ).experiment_id
    base = registry.export_registry(tmp_path / "base.tar")
    given = ask.GivenOutcome(assignment="A", value=0.25, guardrails={"latency_ms": 12.5})
    service.record_outcomes(ask.RecordOutcomes(experiment_id=trial, outcomes=(given,)))
    service.count_exposures(ask.CountExposures(experiment_id=trial, writer="w", counts={"A": 3}))
    delta = registry.export_registry(tmp_path / "delta.tar", since=base)
    elsewhere.import_registry(base)
    done = elsewhere.import_registry(delta)
    assert (done.models, done.notes) == ({"fraud": "unchanged"}, ("2 record(s) of experiments were taken",))
    assert same(registry, elsewhere, tmp_path)
