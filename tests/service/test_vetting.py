"""What a bundle has besides versions is judged before anything of it is written."""

from dataclasses import replace

import pytest

from modelyard.domain import experiment_history as history
from modelyard.domain.errors import IntegrityError
from modelyard.domain.events import GENESIS, event_hash
from modelyard.ports.service import BeginExperiment

from .shelf import make


@pytest.mark.parametrize(
    "facts", [{"model_id": "0" * 26}, {"number": 2}, {"version": "9.9.9"}], ids=lambda f: next(iter(f))
)
def test_a_variant_that_is_not_that_version_is_refused_although_the_history_says_so(service, facts):
    """Whoever writes a whole chain may begin an experiment in it, but only between versions of its model."""
    make(service)
    make(service)
    service.begin_experiment(BeginExperiment(model="fraud", variants={"A": "1", "B": "2"}))
    bundle = service.export()
    trial = bundle.experiments[0]
    first, second = trial.variants
    trial = replace(trial, variants=(replace(first, **facts), second))
    *before, last = bundle.events
    assert last.previous_hash != GENESIS
    last = replace(last, after={**last.after, "experiment": history.configuration(trial)})
    last = replace(last, hash=event_hash(last))
    models = (replace(bundle.models[0], head=last.hash),)
    forged = replace(bundle, models=models, events=(*before, last), experiments=(trial,))
    with pytest.raises(IntegrityError, match=r"variant A: .* is not that version of fraud") as caught:
        service.check_import(forged)
    assert "nothing was imported" in caught.value.detail
