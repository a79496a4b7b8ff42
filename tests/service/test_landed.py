"""What fails after a commit says that the commit stands."""

import pytest

from modelyard.domain.errors import StorageError
from modelyard.ports import service as ask


def gone(*_):
    raise StorageError("the disk is gone")


@pytest.fixture
def after_a_commit(store, monkeypatch):
    """Lets one commit through; then the named method of the store fails."""

    def arrange(method):
        commit = store.commit

        def once(changes):
            commit(changes)
            monkeypatch.setattr(store, method, gone)

        monkeypatch.setattr(store, "commit", once)

    return arrange


def test_a_withdrawal_stands_although_what_it_reaches_cannot_be_read(
    service, store, monkeypatch, after_a_commit
):
    service.create_version(ask.CreateVersion(name="fraud", version="1.0.0"))
    for say, word in (
        (lambda: service.withdraw(ask.Withdraw(target="fraud", reason="it leaks")), "withdrawn"),
        (lambda: service.reinstate(ask.Reinstate(target="fraud")), "not withdrawn"),
    ):
        after_a_commit("find")
        with pytest.raises(StorageError, match=f"'fraud' is {word} and stays so, .*: the disk is gone"):
            say()
        monkeypatch.undo()
        assert (service.get_version("fraud").withdrawn is None) is (word != "withdrawn")


def test_a_promoted_winner_stands_although_its_experiment_cannot_be_stopped(
    service, store, monkeypatch, after_a_commit
):
    for _ in range(2):
        service.create_version(ask.CreateVersion(name="fraud"))
    trial = service.begin_experiment(ask.BeginExperiment(model="fraud", variants={"A": "1", "B": "2"}))
    came = [ask.GivenOutcome(assignment=variant, value=variant == "B") for variant in "AB" * 120]
    service.record_outcomes(ask.RecordOutcomes(experiment_id=trial.experiment_id, outcomes=tuple(came)))
    request = ask.PromoteWinner(experiment_id=trial.experiment_id)
    after_a_commit("commit")
    with pytest.raises(
        StorageError, match=r"fraud:0\.1\.1 is in production and stays so, .*: the disk is gone"
    ):
        service.promote_winner(request)
    monkeypatch.undo()
    assert service.get_version("fraud@production").number == 2
    assert service.get_experiment(trial.experiment_id).running
    assert not service.promote_winner(request).moved
    assert not service.get_experiment(trial.experiment_id).running
