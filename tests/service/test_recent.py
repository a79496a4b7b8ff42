"""What a process remembers of its last registration spares a reading, and never decides otherwise than one would."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.domain.records import Actor
from modelyard.ports.metadata import LabelKey
from modelyard.ports.service import Annotate, CreateVersion
from modelyard.service import recent
from modelyard.service.local import LocalService

NARROW = {"inputs": [{"name": "age", "type": "float32"}]}
WIDE = {"inputs": [{"name": "age", "type": "float64"}]}


def label(service: LocalService, signature: dict[str, Any], **facts: Any) -> str:
    return service.create_version(CreateVersion(name="fraud", signature=signature, **facts)).version


@pytest.fixture
def read(service: LocalService, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Labels under which versions are looked up."""
    asked: list[str] = []
    get = service.store.get

    def watched(key: Any) -> Any:
        if isinstance(key, LabelKey):
            asked.append(key.label_key)
        return get(key)

    monkeypatch.setattr(service.store, "get", watched)
    return asked


def test_the_version_before_is_not_read_again_while_nothing_else_happens(
    service: LocalService, read: list[str]
) -> None:
    assert [label(service, WIDE) for _ in range(3)] == ["0.1.0", "0.1.1", "0.1.2"]
    assert read == []


def test_views_of_other_callers_remember_together(service: LocalService, read: list[str]) -> None:
    label(service, WIDE)
    label(service.as_actor(Actor(name="bob")), WIDE)
    assert read == []


def test_another_signature_is_compared_with_the_version_before(
    service: LocalService, read: list[str]
) -> None:
    label(service, WIDE)
    assert label(service, NARROW) == "1.0.0"
    assert len(read) == 1
    assert label(service, WIDE) == "1.1.0"


def test_whatever_happens_to_the_model_makes_it_read_again(service: LocalService, read: list[str]) -> None:
    label(service, WIDE)
    service.annotate(Annotate(ref="fraud", description="changed"))
    assert label(service, WIDE) == "0.1.1"
    assert len(read) == 1


def test_another_process_is_believed_and_not_the_memory(service: LocalService) -> None:
    other = service.as_actor(Actor(name="bob"))
    other.recent = recent.Recent()
    label(service, WIDE)
    assert label(other, NARROW) == "1.0.0"
    assert label(service, NARROW) == "1.0.1"
    assert label(service, WIDE) == "1.1.0"


def test_a_late_fix_of_an_old_release_is_not_taken_for_the_highest(service: LocalService) -> None:
    label(service, WIDE, version="2.0.0")
    label(service, NARROW, version="1.0.0")
    assert label(service, NARROW) == "3.0.0"


def test_a_thousand_models_are_remembered_and_no_more(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "LIMIT", 2)
    for name in ("a", "b", "c"):
        service.create_version(CreateVersion(name=name))
    assert list(service.recent._signatures) == ["c"]
