"""Registering many versions at once: the same as one by one, or nothing at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import (
    AlreadyExists,
    BlobNotFound,
    InvalidInput,
    InvalidName,
    ModelyardError,
    NotFound,
    TooLarge,
)
from modelyard.domain.records import FileEntry, LineageEdge, ModelVersion
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.service_room import HARMLESS, PRODUCTION, STAGING, ServiceRoom, digest_of, examples

_ABSENT = FileEntry(path="model.txt", size=3, digest=digest_of(b"???"))
_ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["fraud", "churn"])},
        optional={
            "version": st.sampled_from(["1.0.0", "1.0.1", "0.9.0", "beta", "1.1.0-rc.1"]),
            "alias": st.sampled_from(["champion", "next"]),
            "stage": st.sampled_from([STAGING, PRODUCTION]),
            "parent": st.sampled_from(["fraud", "fraud#1", "churn@champion", "churn:^0"]),
            "metrics": st.just({"accuracy": 0.9}),
            "tags": st.just({"team": "risk"}),
            "signature": st.sampled_from(
                [
                    {"inputs": [{"name": "a", "type": "double"}]},
                    {"inputs": [{"name": "a", "type": "double"}, {"name": "b", "type": "long"}]},
                ]
            ),
            "idempotency_key": st.sampled_from(["one", "two"]),
        },
    ),
    min_size=1,
    max_size=6,
)


class Batching(ServiceRoom):
    """``create_versions``."""

    def batch(self, service: RegistryService, *entries: ask.CreateVersion) -> tuple[ask.Created, ...]:
        return service.create_versions(ask.CreateVersions(versions=entries))

    def test_a_batch_is_what_its_entries_are_one_by_one(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        files = (self.file(service),)
        self.file(other)
        entries = [
            ask.CreateVersion(name="fraud", files=files, alias="champion", metrics={"accuracy": 0.9}),
            ask.CreateVersion(name="fraud", files=files, alias="champion", tags={"team": "risk"}),
            ask.CreateVersion(name="churn", version="2.0.0", stage=PRODUCTION),
            ask.CreateVersion(name="fraud", parent="fraud@champion~1", stage=STAGING),
            ask.CreateVersion(
                name="churn", version="1.0.0", lineage=(LineageEdge(kind="dataset", target="s3://a"),)
            ),
            ask.CreateVersion(name="churn", stage=PRODUCTION, parent="churn@production"),
        ]
        made = self.batch(service, *entries)
        assert [one.new for one in made] == [True] * len(entries)
        for entry in entries:
            other.create_version(entry)
        assert facts(service) == facts(other)
        assert service.verify_audit().ok
        for model in ("fraud", "churn"):
            told = [event.action for event in self.log(service, model)]
            assert told == [event.action for event in self.log(other, model)]

    @given(entries=_ENTRIES)
    @examples(15)
    def test_any_batch_gives_what_its_entries_give_one_by_one(
        self, service: RegistryService, other: RegistryService, entries: list[dict[str, Any]]
    ) -> None:
        suffix = f"-{len(service.list_models(limit=1000).items)}"
        requests = [_renamed(ask.CreateVersion(**entry), suffix) for entry in entries]
        alone: ModelyardError | None = None
        # One by one, what stands before a refused entry stays; a batch has none of it.
        for place, request in enumerate(requests):
            try:
                other.create_version(request)
            except ModelyardError as error:
                alone = error
                requests = requests[: place + 1]
                break
        if alone is None:
            made = self.batch(service, *requests)
            assert [one.model_id for one in made if one.new]
        else:
            with pytest.raises(type(alone)) as caught:
                self.batch(service, *requests)
            assert caught.value.data["entry"] == len(requests)
            if len(requests) == 1:
                return
            self.batch(service, *requests[:-1])
        assert facts(service) == facts(other)

    def test_an_entry_that_is_refused_refuses_the_whole_batch_and_is_named(
        self, service: RegistryService
    ) -> None:
        self.make(service, version="1.0.0", hyperparams={"depth": 3})
        good = ask.CreateVersion(name="fraud")
        for bad, kind in (
            (ask.CreateVersion(name="fraud", version="1.0.0", hyperparams={"depth": 4}), AlreadyExists),
            (ask.CreateVersion(name="fraud", version="not a label!"), InvalidName),
            (ask.CreateVersion(name="fraud", files=(_ABSENT,)), BlobNotFound),
            (ask.CreateVersion(name="fraud", parent="nobody:1.0.0"), NotFound),
        ):
            with self.refused(service, kind, r"entry 2 \(fraud") as caught:
                self.batch(service, good, bad, good)
            assert caught.value.data["entry"] == 2

    def test_a_batch_that_is_repeated_finds_what_is_there(self, service: RegistryService) -> None:
        labelled = [ask.CreateVersion(name="fraud", version=f"1.{n}.0") for n in range(3)]
        keyed = [ask.CreateVersion(name="churn", idempotency_key=f"row {n}") for n in range(2)]
        first = self.batch(service, *labelled, *keyed)
        before = self.snapshot(service)
        again = self.batch(service, *labelled, *keyed)
        assert [one.new for one in first] == [True] * 5
        assert again == tuple(replace(one, new=False) for one in first)
        assert self.snapshot(service) == before

    def test_an_entry_may_repeat_one_before_it(self, service: RegistryService) -> None:
        entry = ask.CreateVersion(name="fraud", version="1.0.0", files=(self.file(service),))
        first, second = self.batch(service, entry, entry)
        assert (first.new, second.new) == (True, False)
        assert first.model_id == second.model_id
        assert service.stats().total_versions == 1

    def test_a_batch_goes_on_with_the_model_that_is_there(self, service: RegistryService) -> None:
        old = self.live(service, data=HARMLESS, version="1.0.0")
        self.alias(service, old.model_id)
        made = self.batch(
            service,
            ask.CreateVersion(name="fraud", version="1.1.0", alias="champion"),
            ask.CreateVersion(name="fraud", version="1.2.0", stage=PRODUCTION),
        )
        assert [one.number for one in made] == [2, 3]
        assert self.holder(service, "fraud@champion") == 2
        assert self.holder(service, "fraud@production") == 3
        assert service.get_version(old.model_id).stage.value == "deprecated"
        assert service.verify_audit().ok

    def test_what_a_batch_warns_of_is_told(self, service: RegistryService) -> None:
        wide, narrow = ({"inputs": [{"name": name, "type": "double"}]} for name in ("a", "b"))
        made = self.batch(
            service,
            ask.CreateVersion(name="fraud", version="1.0.0", signature=wide),
            ask.CreateVersion(name="fraud", version="1.0.1", signature=narrow),
        )
        assert not made[0].warnings
        assert "calls for major" in made[1].warnings[0]

    def test_a_batch_has_a_least_and_a_greatest_size(self, service: RegistryService) -> None:
        with self.refused(service, InvalidInput, "at least one"):
            self.batch(service)
        many = [ask.CreateVersion(name="fraud")] * 1001
        with self.refused(service, TooLarge, "at most 1000"):
            self.batch(service, *many)


def _renamed(request: ask.CreateVersion, suffix: str) -> ask.CreateVersion:
    """The same in models that no example before has filled."""
    parent = request.parent
    for name in ("fraud", "churn"):
        parent = parent and parent.replace(name, name + suffix)
    key = request.idempotency_key and request.idempotency_key + suffix
    return replace(request, name=request.name + suffix, parent=parent, idempotency_key=key)


def facts(service: RegistryService) -> list[dict[str, Any]]:
    """What there is of every version, but for identifiers, times and what is counted in revisions."""
    bundle = service.export()
    number = {version.model_id: f"{version.name}#{version.number}" for version in bundle.versions}
    rows = [_facts(version, number) for version in bundle.versions]
    for model in bundle.models:
        aliases = {name: alias.number for name, alias in model.aliases.items()}
        pointers = (aliases, dict(model.holders), number.get(model.latest or ""))
        rows.append(
            {"model": model.name, "pointers": pointers, "events": model.sequence, "highest": model.highest}
        )
    return sorted(rows, key=repr)


def _facts(version: ModelVersion, number: dict[str, str]) -> dict[str, Any]:
    kept = (
        *("name", "number", "version", "files", "stage", "tags", "aliases", "warnings", "created_by"),
        *("signature", "scan", "content_digest"),
    )
    named = {name: getattr(version, name) for name in kept}
    edges = [(edge.kind, number.get(edge.target, edge.target)) for edge in version.edges]
    metrics = dict(version.performance_metrics)
    return named | {"edges": edges, "metrics": metrics, "successor": number.get(version.successor or "")}
