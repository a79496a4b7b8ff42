"""Facts that are any JSON: refused by name before anything is looked at, if they have no form or a huge one."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.domain import manifest, request_types
from modelyard.domain.errors import InvalidInput
from modelyard.ports.metadata import VersionQuery
from modelyard.ports.service import CreateVersion
from modelyard.service.local import LocalService


def circle() -> dict[str, Any]:
    round_: dict[str, Any] = {}
    round_["again"] = round_
    return round_


@pytest.mark.parametrize("fact", ["hyperparams", "environment", "data_lineage", "attributes"])
@pytest.mark.parametrize(
    "value",
    [{"a": object()}, {"a": {"b": b"bytes"}}, {"a": "half \ud800"}, circle()],
    ids=["object", "bytes", "surrogate", "circle"],
)
def test_what_is_no_json_is_refused(service: LocalService, fact: str, value: dict[str, Any]) -> None:
    facts: dict[str, Any] = {fact: value}
    with pytest.raises(InvalidInput, match=f"{fact} may hold JSON values only"):
        service.create_version(CreateVersion(name="fraud", **facts))
    assert not service.store.find(VersionQuery()).items


@pytest.mark.parametrize("fact", ["hyperparams", "attributes"])
def test_what_is_larger_than_a_fact_is_refused(
    service: LocalService, monkeypatch: pytest.MonkeyPatch, fact: str
) -> None:
    monkeypatch.setattr(request_types, "FACT_LIMIT", 20)
    facts: dict[str, Any] = {fact: {"a": "x" * 30}}
    with pytest.raises(InvalidInput, match=f"{fact}: expected at most 20 bytes as JSON, found 38"):
        service.create_version(CreateVersion(name="fraud", **facts))


def test_the_digest_of_a_version_is_that_of_what_is_stored(service: LocalService) -> None:
    facts: dict[str, Any] = {"a": (1, 2.0), "b": float("nan"), "c": {"d": {1, 2}}}
    made = service.create_version(CreateVersion(name="fraud", hyperparams=facts, data_lineage=facts))
    assert made.hyperparams == {"a": [1, 2.0], "b": "NaN", "c": {"d": [1, 2]}}
    assert manifest.build(service.get_version("fraud")).digest == made.digest


def test_what_a_caller_changes_after_the_call_began_is_not_stored(service: LocalService) -> None:
    params = {"depth": {"max": 3}}
    real = service.decide

    def later(step: Any) -> Any:
        params["depth"]["max"] = 4
        return real(step)

    service.decide = later  # type: ignore[method-assign]
    made = service.create_version(CreateVersion(name="fraud", hyperparams=params))
    assert made.hyperparams == {"depth": {"max": 3}}
    assert manifest.build(made).digest == made.digest
