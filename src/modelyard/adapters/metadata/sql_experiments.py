"""Questions about experiments, their outcomes and exposures: fixed statements, one page each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.adapters.metadata import paging
from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.rows_experiments import (
    read_experiment,
    read_exposure,
    read_outcome,
    read_tally,
)
from modelyard.domain.experiments import Experiment, Exposure, Outcome, OutcomeTally
from modelyard.ports.metadata import (
    ExperimentKey,
    ExperimentQuery,
    ExposureKey,
    ExposureQuery,
    IdentityKey,
    OutcomeKey,
    OutcomeQuery,
    OutcomeTallyQuery,
    Page,
)

GETTERS: Mapping[type, tuple[str, Any]] = {
    ExperimentKey: (sql.GET_EXPERIMENT, read_experiment),
    IdentityKey: (sql.GET_IDENTITY, read_experiment),
    OutcomeKey: (sql.GET_OUTCOME, read_outcome),
    ExposureKey: (sql.GET_EXPOSURE, read_exposure),
}


def experiments(connection: Any, query: ExperimentQuery) -> Page[Experiment]:
    (after,) = paging.unseal(query, query.after) if query.after else ("",)
    statement = sql.EXPERIMENTS if query.model_key is None else sql.MODEL_EXPERIMENTS
    given = {"after": after, "model_key": query.model_key, "limit": query.limit + 1}
    found = connection.execute(statement, given).fetchall()
    kept = tuple(read_experiment(row) for row in found[: query.limit])
    more = len(found) > query.limit
    return Page(items=kept, next=paging.seal(query, [kept[-1].experiment_id]) if more else None)


def outcomes(connection: Any, query: OutcomeQuery) -> Page[Outcome]:
    unit, draw = paging.unseal(query, query.after) if query.after else ("", "")
    given = {"experiment_id": query.experiment_id, "unit": unit, "draw": draw, "limit": query.limit + 1}
    found = connection.execute(sql.OUTCOMES, given).fetchall()
    kept = tuple(read_outcome(row) for row in found[: query.limit])
    more = len(found) > query.limit
    return Page(items=kept, next=paging.seal(query, [kept[-1].unit, kept[-1].draw]) if more else None)


def exposures(connection: Any, query: ExposureQuery) -> Page[Exposure]:
    (after,) = paging.unseal(query, query.after) if query.after else ("",)
    given = {"experiment_id": query.experiment_id, "after": after, "limit": query.limit + 1}
    found = connection.execute(sql.EXPOSURES, given).fetchall()
    kept = tuple(read_exposure(row) for row in found[: query.limit])
    more = len(found) > query.limit
    return Page(items=kept, next=paging.seal(query, [kept[-1].writer]) if more else None)


def tallies(connection: Any, query: OutcomeTallyQuery) -> Page[OutcomeTally]:
    """Summed by the database: rows are not held against their digests here, ``check`` does that."""
    statement = sql.TALLY_VALUES if query.metric else sql.TALLY_OUTCOMES
    given = {"experiment_id": query.experiment_id, "metric": query.metric}
    return Page(items=tuple(read_tally(row) for row in connection.execute(statement, given)))


FINDERS: Mapping[type, Any] = {
    ExperimentQuery: lambda _, connection, query: experiments(connection, query),
    OutcomeQuery: lambda _, connection, query: outcomes(connection, query),
    ExposureQuery: lambda _, connection, query: exposures(connection, query),
    OutcomeTallyQuery: lambda _, connection, query: tallies(connection, query),
}
