"""What ``versioning.enforce`` makes of a label that is too small a step."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.domain.errors import BumpRefused
from modelyard.domain.records import Actor
from modelyard.ports.service import CreateVersion
from modelyard.service.local import LocalService

OLD = {"inputs": [{"name": "age", "type": "float64"}]}
NEW = {"inputs": [{"name": "age", "type": "float32"}]}


@pytest.fixture
def registered(service: LocalService) -> LocalService:
    service.create_version(CreateVersion(name="fraud", version="1.0.0", signature=OLD))
    return service


def again(service: LocalService, **facts: Any) -> tuple[str, ...]:
    """Warnings of a patch release that narrows a type."""
    request = CreateVersion(name="fraud", version="1.0.1", signature=NEW, **facts)
    return service.create_version(request).warnings


def test_warn_accepts_with_a_warning(registered: LocalService) -> None:
    assert "type narrowed from float64 to float32" in again(registered)[0]


def test_off_accepts_silently(registered: LocalService) -> None:
    registered.enforce_steps = "off"
    assert again(registered) == ()


def test_refuse_refuses_and_says_what_to_do(registered: LocalService) -> None:
    registered.enforce_steps = "refuse"
    with pytest.raises(BumpRefused, match=r"input 'age'.*Take a label that is a major step up"):
        again(registered)
    with pytest.raises(BumpRefused):
        again(registered.as_actor(Actor(name="bob")))


def test_a_reason_goes_before_refuse(registered: LocalService) -> None:
    registered.enforce_steps = "refuse"
    assert "calls for major" in again(registered, override_reason="agreed with all three callers")[0]


def test_a_too_small_bump_is_refused_whatever_the_setting(registered: LocalService) -> None:
    registered.enforce_steps = "off"
    with pytest.raises(BumpRefused):
        registered.create_version(CreateVersion(name="fraud", bump="minor", signature=NEW))
