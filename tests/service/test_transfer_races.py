"""Exports and imports while others write."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from modelyard.domain.errors import Conflict
from modelyard.domain.records import Model
from modelyard.ports.metadata import EventQuery
from modelyard.ports.service import Annotate, Check
from modelyard.service import transfer, versions

from .shelf import make


def interfere(service, monkeypatch, times):
    """Annotate the model each time its events are read, at most ``times`` times; returns how often that was."""
    real, done = service.store.find, []

    def find(query):
        if isinstance(query, EventQuery) and len(done) < times:
            done.append(query)
            service.annotate(Annotate(ref="fraud#1", description=f"{len(done)}"))
        return real(query)

    monkeypatch.setattr(service.store, "find", find)
    return done


def test_a_model_that_changes_while_it_is_exported_is_read_again(service, monkeypatch):
    make(service)
    done = interfere(service, monkeypatch, times=2)
    bundle = service.export()
    assert len(done) == 2
    assert bundle.versions[0].description == "2"
    service.check_import(bundle)


def test_a_second_reading_asks_the_writers_to_wait(service, monkeypatch):
    make(service)
    asked = []

    @contextmanager
    def alone():
        asked.append(1)
        yield

    monkeypatch.setattr(service.store, "alone", alone)
    interfere(service, monkeypatch, times=1)
    service.export()
    assert asked == [1]


def test_a_model_that_never_rests_is_not_exported_half(service, monkeypatch):
    make(service)
    done = interfere(service, monkeypatch, times=1000)
    with pytest.raises(Conflict, match="export it when it is quieter"):
        service.export()
    assert len(done) == transfer.READINGS


def test_a_check_beside_a_writer_accuses_nobody(service, monkeypatch):
    make(service)
    done = interfere(service, monkeypatch, times=1)
    assert service.check(Check()).findings == ()
    assert len(done) == 1


def test_records_without_an_event_are_found_by_the_check(service):
    made = make(service)
    records = service.store._records
    (key,) = [key for key, record in records.items() if isinstance(record, Model)]
    records[key] = replace(records[key], tags={"approved": "yes"})
    (found,) = service.check(Check()).findings
    assert (found.kind, found.subject) == ("history", made.name)
    assert "tags" in found.detail


def test_a_label_that_is_taken_while_it_is_imported_stops_that_import(service, monkeypatch):
    """Another process registers the same label between the look at it and the decision."""
    make(service, version="1.0.0")
    bundle = service.export()
    for part in (service.store._records, service.store._aliases, service.store._log):
        part.clear()
    make(service, version="9.0.0")
    real = versions.decide

    def late(service_, work):
        monkeypatch.setattr(versions, "decide", real)
        make(service, version="1.0.0")
        return real(service_, work)

    monkeypatch.setattr(versions, "decide", late)
    with pytest.raises(Conflict, match="import it again"):
        service.import_(bundle)
    assert service.import_(bundle).versions == 1
    assert [v.version for v in service.export().versions] == ["9.0.0", "1.0.0", "9.0.1"]
    assert service.check(Check()).findings == ()
