"""What is said of a pointer that named nothing then, or is asked about before its beginning."""

from __future__ import annotations

import pytest

from modelyard.domain.errors import AliasNotFound
from modelyard.ports.service import CreateVersion, DeleteAlias, SetAlias


@pytest.fixture
def point(service):
    """Points ``champion`` of a model at a version."""

    def move(ref, model="fraud"):
        service.set_alias(SetAlias(model=model, alias="champion", ref=ref))

    return move


def told(service, ref):
    with pytest.raises(AliasNotFound) as missing:
        service.get_version(ref)
    return missing.value.detail


def test_an_alias_that_was_deleted_and_set_again_named_nothing_in_between(service, clock, point):
    before = clock.now()
    clock.advance(seconds=60)
    service.create_version(CreateVersion(name="fraud"))
    point("#1")
    service.delete_alias(DeleteAlias(model="fraud", alias="champion"))
    point("#1")
    assert told(service, "fraud@champion~1").startswith(
        "alias 'champion' of 'fraud' named no version 1 move ago;"
    )
    assert service.get_version("fraud@champion~2").number == 1
    early = told(service, f"fraud@champion{{{before.isoformat()}}}")
    assert early.startswith(
        f"alias 'champion' of 'fraud' named no version at {before:%Y-%m-%d %H:%M:%S} UTC;"
    )


def test_an_alias_that_there_is_not_is_told_with_those_that_there_are(service, point):
    service.create_version(CreateVersion(name="fraud"))
    assert told(service, "fraud@champion") == "model 'fraud' has no alias 'champion'; it has: none."
    point("#1")
    now, then = told(service, "fraud@champoin"), told(service, "fraud@champoin~2")
    assert now == "model 'fraud' has no alias 'champoin'; it has: champion. Did you mean 'champion'?"
    assert then.startswith("model 'fraud' had no alias 'champoin' 2 moves ago; it has: champion.")


def test_a_stage_that_nobody_holds_or_held_is_told_as_such(service):
    service.create_version(CreateVersion(name="fraud"))
    assert told(service, "fraud@production") == "no version of 'fraud' holds production"
    assert told(service, "fraud@production~1") == "no version of 'fraud' held production 1 move ago"
    assert " held production at 2020-01-01 " in told(service, "fraud@production{2020-01-01}")


def test_the_first_holder_of_a_long_name_is_told_so_that_it_can_be_asked_for(service, point):
    name = "a-very-long-name-" * 6
    service.create_version(CreateVersion(name=name))
    service.create_version(CreateVersion(name=name))
    point("#1", name)
    point("#2", name)
    said = told(service, f"{name}@champion~7")
    first = said.rpartition("which is ")[2]
    assert service.get_version(first.strip("'")).number == 1
    assert said.startswith(f"'{name[:60]}…'")
