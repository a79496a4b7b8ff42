"""Records of experiments that somebody wrote without deciding are found."""

from dataclasses import replace

import pytest

from modelyard.domain.errors import InvalidInput
from modelyard.domain.replay import differences
from modelyard.ports import service as ask
from modelyard.ports.metadata import Changes, EventQuery, ExperimentKey, ModelKey, Put
from modelyard.service import experiments
from modelyard.service.pages import every


@pytest.fixture
def trial(service):
    """A running experiment over two versions."""
    for _ in range(2):
        service.create_version(ask.CreateVersion(name="fraud"))
    request = ask.BeginExperiment(model="fraud", variants={"A": "1", "B": "2"})
    return service.begin_experiment(request)


@pytest.mark.parametrize(
    "facts", [{"model": None}, {"name": 7}, {"variants": [1]}, {"guardrails": [1]}], ids=str
)
def test_arguments_of_another_type_are_refused(service, facts):
    request = {"model": "fraud", "variants": {"A": "1", "B": "2"}, **facts}
    with pytest.raises(InvalidInput, match=next(iter(facts))):
        service.begin_experiment(ask.BeginExperiment(**request))


def test_an_experiment_is_asked_for_by_text(service):
    with pytest.raises(InvalidInput, match="an id or a name"):
        service.get_experiment(None)


def overwrite(store, record, **facts):
    """Write a record as no service would."""
    there = store.get(ModelKey("fraud") if record is None else ExperimentKey(record.experiment_id))
    changed = replace(there, revision=there.revision + 1, **facts)
    store.commit(Changes(puts=(Put(record=changed, expected=there.revision),)))


def findings(service):
    return [(f.kind, f.detail) for f in service.check(ask.Check()).findings]


def test_what_was_decided_has_no_findings(service, trial):
    assert findings(service) == []
    service.stop_experiment(ask.StopExperiment(experiment_id=trial.experiment_id))
    assert findings(service) == []


def test_an_end_that_nobody_decided_is_found(service, store, trial):
    overwrite(store, trial, stopped_at=trial.created_at)
    ((kind, detail),) = findings(service)
    assert (kind, detail) == (
        "experiment",
        f"the experiments [] run, its record names ['{trial.experiment_id}']",
    )


@pytest.mark.parametrize("facts", [{"alpha": 0.5}, {"minimum_sample": 2}, {"metric": "f1"}], ids=str)
def test_another_configuration_is_found(service, store, trial, facts):
    overwrite(store, trial, **facts)
    said = f"experiment {trial.experiment_id} is not what the history says: it began with other arguments"
    assert findings(service) == [("experiment", said)]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"created_by": "eve"}, "it was begun by ann at"),
        ({"winner": "B"}, "no event ends it"),
        ({"reason": "eve"}, "no event ends it"),
    ],
    ids=str,
)
def test_another_beginning_or_end_is_found(service, store, trial, facts, why):
    overwrite(store, trial, **facts)
    ((_, detail),) = findings(service)
    assert f"is not what the history says: {why}" in detail


@pytest.mark.parametrize("facts", [{"winner": "B"}, {"stopped_by": "eve"}, {"reason": ""}], ids=str)
def test_another_end_than_the_one_decided_on_is_found(service, store, trial, facts):
    service.stop_experiment(ask.StopExperiment(experiment_id=trial.experiment_id, reason="enough"))
    overwrite(store, trial, **facts)
    ((_, detail),) = findings(service)
    assert "in another way" in detail


def test_an_experiment_without_a_beginning_is_found(service, store, trial):
    made_up = replace(trial, experiment_id="0" * 26, identity="f" * 64, stopped_at=trial.created_at)
    store.commit(Changes(puts=(Put(record=made_up, expected=0),)))
    said = f"experiment {'0' * 26} is not what the history says: its beginning is in no event"
    assert findings(service) == [("experiment", said)]


def test_a_protection_that_nobody_decided_does_not_follow_from_the_history(service, store, trial):
    overwrite(store, None, experiments={})
    model = store.get(ModelKey("fraud"))
    log = list(every(store, EventQuery(model_key="fraud")))
    versions = [service.get_version(f"fraud#{number}") for number in (1, 2)]
    (said,) = differences(model, versions, log)
    assert said.startswith("the running experiments: its record says {}")


def test_a_record_that_is_gone_cannot_be_ended(service, store, trial):
    """Where the experiment's record is missing, a deletion by force goes on without it."""
    overwrite(store, None, experiments={trial.experiment_id: (1, 2), "0" * 26: (1, 2)})
    service.delete(ask.Delete(ref="fraud#1", force=True, reason="leaks"))
    assert store.get(ModelKey("fraud")).experiments == {"0" * 26: (1, 2)}
    assert list(experiments.differences(service, store.get(ModelKey("fraud"))))
