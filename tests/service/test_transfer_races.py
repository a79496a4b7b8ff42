"""Exports and imports while others write."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from modelyard.domain.errors import Conflict
from modelyard.domain.records import Model
from modelyard.ports.metadata import EventQuery, ExperimentKey, ExperimentQuery
from modelyard.ports.service import Annotate, BeginExperiment, Check, StopExperiment
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


def emptied(service):
    """The same service with nothing in it."""
    for part in (service.store._records, service.store._aliases, service.store._log):
        part.clear()


def test_two_imports_of_the_same_bundle_at_once_both_succeed(service, monkeypatch):
    make(service)
    bundle = service.export()
    emptied(service)
    real = transfer._write

    def write(*given):
        monkeypatch.setattr(transfer, "_write", real)
        assert service.import_(bundle).models == {"fraud": "taken"}
        return real(*given)

    monkeypatch.setattr(transfer, "_write", write)
    assert service.import_(bundle).models == {"fraud": "unchanged"}
    assert service.check(Check()).findings == ()


def test_a_model_that_never_rests_is_not_imported(service, monkeypatch):
    make(service)
    bundle = service.export()
    emptied(service)
    tries = []

    def write(*_):
        tries.append(1)
        raise transfer._Moved

    monkeypatch.setattr(transfer, "_write", write)
    with pytest.raises(Conflict, match="import it when it is quieter"):
        service.import_(bundle)
    assert len(tries) == transfer.READINGS


def begin(service):
    """A running experiment over two versions."""
    make(service)
    make(service)
    return service.begin_experiment(BeginExperiment(model="fraud", variants={"A": "1", "B": "2"}))


def test_an_experiment_that_ends_while_it_is_exported_is_exported_as_its_history_says(service, monkeypatch):
    trial = begin(service)
    real, done = service.store.find, []

    def find(query):
        if isinstance(query, ExperimentQuery) and not done:
            done.append(query)
            service.stop_experiment(StopExperiment(experiment_id=trial.experiment_id))
        return real(query)

    monkeypatch.setattr(service.store, "find", find)
    bundle = service.export()
    assert not bundle.experiments[0].running
    service.check_import(bundle)


def test_an_experiment_that_no_history_here_ends_is_left_as_it_is(service):
    """An older bundle, and a record that is gone."""
    trial = begin(service)
    bundle = service.export()
    service.stop_experiment(StopExperiment(experiment_id=trial.experiment_id))
    assert service.import_(bundle).notes == ()
    ended = service.get_experiment(trial.experiment_id)
    assert not ended.running
    del service.store._records[ExperimentKey(trial.experiment_id)]
    (note,) = service.import_(bundle).notes
    assert note.endswith("is in no history here")
