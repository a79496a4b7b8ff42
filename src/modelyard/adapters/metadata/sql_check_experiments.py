"""Looking for damage in what is recorded of experiments: every row against its digest, every repeated value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from modelyard.adapters.metadata.rows_experiments import (
    EXPERIMENT,
    EXPOSURE,
    OUTCOME,
    read_experiment,
    read_exposure,
    read_outcome,
    value_rows,
)
from modelyard.domain.errors import IntegrityError
from modelyard.domain.experiments import Outcome
from modelyard.domain.names import fold


def findings(connection: Any) -> Iterator[str]:
    """One line per finding."""
    for _, found, wrong in _read(connection, "experiments", EXPERIMENT, read_experiment):
        if wrong:
            yield wrong
        elif (found.experiment_id, fold(found.model), found.identity) != tuple(_[:3]):
            yield f"experiment {_[0]}: its columns are not those of its document"
    for _, _, wrong in _read(connection, "exposures", EXPOSURE, read_exposure):
        if wrong:
            yield wrong
    yield from _outcomes(connection)


def _outcomes(connection: Any) -> Iterator[str]:
    """Every outcome, then the values repeated from them: as many, and each the same."""
    expected = 0
    for _, outcome, wrong in _read(connection, "outcomes", OUTCOME, read_outcome):
        if wrong:
            yield wrong
            continue
        expected += len(outcome.guardrails)
        yield from _values(connection, outcome)
    (there,) = connection.execute("SELECT count(*) FROM outcome_values").fetchone()
    if there != expected:
        yield f"values of guardrails: {there} are there, the outcomes hold {expected}"


def _values(connection: Any, outcome: Outcome) -> Iterator[str]:
    statement = (
        "SELECT variant, value, late FROM outcome_values WHERE experiment_id = :experiment_id "
        "AND metric = :metric AND unit = :unit AND draw = :draw"
    )
    for row in value_rows(outcome):
        found = connection.execute(statement, row).fetchone()
        if found != (row["variant"], row["value"], row["late"]):
            yield f"outcome {outcome.unit} {outcome.draw}: {row['metric']} to sum up is not that of its document"


def _read(
    connection: Any, table: str, columns: Sequence[str], read: Callable[[Sequence[Any]], Any]
) -> Iterator[tuple[Sequence[Any], Any, str]]:
    """Each row, its record, and what is wrong with it or nothing."""
    for row in connection.execute(f"SELECT {', '.join(columns)} FROM {table}"):  # noqa: S608
        try:
            yield row, read(row), ""
        except IntegrityError as error:
            yield row, None, f"{table}: {error.detail.partition(':')[0]}"
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            yield row, None, f"{table}: the document of {row[0]} cannot be read: {error}"
