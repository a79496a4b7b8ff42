"""Statements that go to PostgreSQL ahead of the answers to earlier ones: what fails, what is waited for, how often."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.sql_servers import database, emptied

from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.object_settings import manifests_beside
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.metadata import postgresql as engine
from modelyard.adapters.metadata.engines import open_server
from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.adapters.metadata.sessions import array, as_arrays
from modelyard.domain.errors import Conflict
from modelyard.domain.records import FileEntry
from modelyard.ports.metadata import BlobKey, Changes, ModelKey, Put
from modelyard.ports.service import CreateVersion
from modelyard.testing.metadata import a_blob, a_model, a_version, an_event, changed, put, seed
from modelyard.wiring import in_folder


@pytest.fixture
def url(postgresql: str) -> str:
    return database(postgresql, "modelyard_pipelines")


@pytest.fixture
def store(url: str) -> Iterator[ServerMetadata]:
    store = emptied(url)
    yield store
    store.close()


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, *names: str) -> Iterator[dict[str, int]]:
    """How often functions are called."""
    calls = dict.fromkeys(names, 0)

    def counting(name: str) -> Any:
        real = getattr(owner, name)

        def call(*given: Any, **named: Any) -> Any:
            calls[name] += 1
            return real(*given, **named)

        return call

    with monkeypatch.context() as patched:
        for name in names:
            patched.setattr(owner, name, counting(name))
        yield calls


def test_a_registration_asks_the_object_store_nothing_beside_its_one_put(
    url: str, store: ServerMetadata, seaweedfs: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import obstore

    blobs = ObjectBlobs(seaweedfs, folder="blobs")
    service = in_folder(tmp_path, store=open_server(url), kept=(blobs, manifests_beside(blobs)))
    with counted(monkeypatch, obstore, "put", "head", "get", "list") as requests:
        info = service.put_blob([b"weights of one registration"])
        entry = FileEntry(path="m", size=info.size, digest=info.digest)
        made = service.create_version(CreateVersion(name="fraud", files=(entry,), metrics={"auc": 0.9}))
    assert requests == {"put": 1, "head": 0, "get": 0, "list": 0}
    assert made.scans["m"].ruleset == service.scanner.ruleset
    assert blobs.stat(info.digest) == info
    service.close()


def test_a_commit_waits_for_three_answers_however_much_it_writes(
    store: ServerMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    from psycopg._pipeline_base import BasePipeline

    seed(store, a_model(), events=(an_event(1),))
    version = a_version(tags={f"tag {n}": '"quoted\\' for n in range(40)})
    model = changed(a_model(), description="counted")
    puts = (put(version), put(a_blob()), Put(record=model, expected=1))
    with counted(monkeypatch, BasePipeline, "_fetch_gen") as answers:
        store.commit(Changes(puts=puts, events=(an_event(2),)))
    assert answers["_fetch_gen"] == 3  # of all before the turn, of the turn and what is behind it, of COMMIT
    assert store.check() == ()


def test_a_conflict_in_the_midst_of_what_was_sent_ahead_changes_nothing_and_is_told_once(
    store: ServerMetadata, caplog: pytest.LogCaptureFixture
) -> None:
    seed(store, a_model(), a_version(), events=(an_event(1),))
    twin = a_version(model_id="twin")  # the same number and label
    with caplog.at_level(logging.DEBUG), pytest.raises(Conflict, match="model_key"):
        store.commit(Changes(puts=(put(a_blob()), put(twin)), events=(an_event(2),)))
    assert store.get(BlobKey(a_blob().digest)) is None
    assert [event.event.sequence for event in store.events(0, 10)] == [1]
    assert "psycopg" not in caplog.text
    seed(store, changed(a_model(), description="goes on"), events=(an_event(2),))


def test_a_stale_record_is_named_before_the_turn_to_commit_is_taken(store: ServerMetadata) -> None:
    seed(store, a_model(), events=(an_event(1),))
    late = Put(record=a_model(revision=5), expected=4)
    with pytest.raises(Conflict, match=r"model fraud .*expected revision 4, found revision 1"):
        store.commit(Changes(puts=(late,), events=(an_event(2),)))


def test_a_commit_goes_on_when_somebody_keeps_all_others_out_for_too_long(
    url: str, store: ServerMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PATIENCE", 0.2)
    hurried = open_server(url)
    with store.alone():
        seed(hurried, a_model(), events=(an_event(1),))
    assert store.get(ModelKey("fraud")) == a_model()
    hurried.close()


VALUES = st.lists(
    st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    min_size=2,
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=VALUES, numbers=st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1)
)
def test_values_sent_as_an_array_arrive_as_they_were(
    store: ServerMetadata, texts: list[str | None], numbers: list[float | None]
) -> None:
    exact = [None if number is None else Decimal(number) for number in numbers]
    with store._session() as session:
        cursor = session.raw.cursor()
        assert cursor.execute("SELECT %s::text[]", [array(texts)]).fetchone()[0] == texts
        assert cursor.execute("SELECT %s::numeric[]", [array(exact)]).fetchone()[0] == numbers


def test_an_insert_with_a_column_of_unknown_type_is_not_sent_as_arrays() -> None:
    assert as_arrays("INSERT INTO t (a, b) VALUES (:a, :b)", (("a", "text"),)) is None
    assert as_arrays("INSERT INTO t (a, b) VALUES (:a, :b)", (("a", "text"), ("b", "bigint"))) == (
        "INSERT INTO t (a, b) SELECT * FROM unnest(%s::text[], %s::bigint[])",
        ("a", "b"),
    )
