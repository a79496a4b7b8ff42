"""What people see of records in a notebook or a traceback: one short line that tells which one it is."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given

from modelyard.domain.policy import DEFAULT
from modelyard.domain.records import Alias, Event, Model, ModelStage, ModelVersion, Withdrawal
from modelyard.domain.text import brief, few
from modelyard.testing import strategies

AT = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
VERSION = ModelVersion(
    model_id="01j9zx4m8n2p6q7r5s3t1v0w9y",
    name="fraud",
    number=7,
    version="1.4.0",
    created_at=AT,
    created_by="ada",
    digest="sha256:0123456789abcdef" + "0" * 48,
    hyperparams={"x": "y" * 10_000},
)


def test_a_version_is_shown_by_what_tells_it_from_others() -> None:
    assert repr(VERSION) == (
        "<ModelVersion fraud:1.4.0 (#7) in development, sha256:0123456789ab, created 2026-03-01 12:00 UTC, "
        "model_id 01j9zx4m8n2p6q7r5s3t1v0w9y>"
    )
    live = replace(VERSION, stage=ModelStage.PRODUCTION, aliases=("champion", "eu"))
    assert " in production, aliases champion, eu, sha256:" in repr(live)
    gone = replace(VERSION, deleted_at=AT, withdrawn=Withdrawal(reason="leaks", at=AT))
    assert " in development, deleted, withdrawn, sha256:" in repr(gone)


def test_a_model_is_shown_with_where_its_pointers_are() -> None:
    model = Model(
        name="fraud",
        key="fraud",
        slug="fraud",
        created_at=AT,
        created_by="ada",
        policy=DEFAULT,
        last_number=9,
    )
    assert repr(model) == "<Model fraud, last number 9, created 2026-03-01 12:00 UTC>"
    alias = Alias(name="champion", number=7, model_id=VERSION.model_id, at=AT)
    held = replace(model, aliases={"champion": alias}, holders={"production": (6, 7), "staging": ()})
    assert repr(held).startswith("<Model fraud, last number 9, production #6+#7, champion #7, created")


@pytest.mark.parametrize(("model", "place"), [("fraud", "fraud"), ("", "the registry")])
def test_an_event_is_shown_without_its_diff(model: str, place: str) -> None:
    event = Event(
        model=model,
        sequence=3,
        at=AT,
        actor="ada",
        action="x.done",
        subject="version:7",
        after={"k": "v" * 9999},
    )
    assert repr(event) == f"<Event 3 of {place}: x.done version:7 by ada, 2026-03-01 12:00:05 UTC>"


def test_a_long_list_is_cut_and_counted() -> None:
    assert few("abcde") == "a, b, c, d, e"
    assert few("abcdefg") == "a, b, c, d, e and 2 more"
    assert brief("A", "", "b\n") == "<A, b\\n>"


@given(strategies.model_names(), strategies.labels())
def test_any_version_is_one_printable_line(name: str, label: str) -> None:
    shown = repr(replace(VERSION, name=name, version=label))
    assert shown.isprintable()
    assert len(shown) < 1000
