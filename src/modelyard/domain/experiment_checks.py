"""What a record of an experiment has to look like that was written elsewhere: as if it had been written here."""

from __future__ import annotations

import re
from typing import Final

from modelyard.domain import abtest, names
from modelyard.domain.errors import InvalidInput
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.spelling import quoted

_IDENTITY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_UNIT: Final = re.compile(r"(direct-)?[0-9a-f]{32}", re.ASCII)
_DRAW: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)


def check_experiment(experiment: Experiment) -> None:
    """Raise ``InvalidInput`` unless a registry may have begun this experiment."""
    shares = {variant.name: variant.weight for variant in experiment.variants}
    if len(shares) != len(experiment.variants):
        raise InvalidInput(
            f"variants: expected each once, found {', '.join(v.name for v in experiment.variants)}"
        )
    abtest.check_variant_names(shares)
    abtest.check_weights(shares)
    if experiment.name:
        names.check_key(experiment.name, "experiment name")
    names.check_metric_name(experiment.metric)
    abtest.check_kind(experiment.kind)
    abtest.check_guardrails(experiment.guardrails)
    abtest.check_sample(experiment.minimum_sample)
    abtest.check_alpha(experiment.alpha)
    _form(_IDENTITY, experiment.identity, "identity", "64 hex digits")


def check_outcome(experiment: Experiment, outcome: Outcome) -> None:
    """Raise ``InvalidInput`` unless this outcome may have been recorded of this experiment."""
    _form(_UNIT, outcome.unit, "unit", "32 hex digits, perhaps after direct-")
    _form(_DRAW, outcome.draw, "draw", "16 hex digits")
    if not outcome.unit.startswith(abtest.DIRECT):
        serves = abtest.served(experiment, outcome.unit)
        if serves != outcome.variant:
            raise InvalidInput(
                f"unit {outcome.unit}: expected an outcome of {serves}, found one of {outcome.variant}"
            )
    abtest.check_value(experiment, outcome.value)
    abtest.check_extras(experiment, outcome.guardrails)


def check_exposure(experiment: Experiment, exposure: Exposure) -> None:
    """Raise ``InvalidInput`` unless a process may have counted so."""
    names.check_key(exposure.writer, "writer")
    abtest.check_counts(experiment, exposure.counts)


def _form(form: re.Pattern[str], text: str, what: str, expected: str) -> None:
    if form.fullmatch(text) is None:
        raise InvalidInput(f"{what}: expected {expected}, found {quoted(text)}")
