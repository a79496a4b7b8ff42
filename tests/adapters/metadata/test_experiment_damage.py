"""What is changed behind the store in the tables of experiments is found, and never answered."""

import pytest

from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sqlite import driver
from modelyard.domain.errors import IntegrityError
from modelyard.ports.metadata import ExperimentQuery, ExposureQuery, OutcomeQuery
from modelyard.testing.metadata import everything, seed
from modelyard.testing.metadata_experiments import an_experiment, an_exposure, an_outcome

FIRST = f"{1:026d}"


@pytest.fixture
def store(tmp_path):
    store = SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    seed(store, an_experiment(), an_outcome(guardrails={"cost": 1.0}), an_exposure())
    yield store
    store.close()


def run(store: SqlMetadata, statement: str) -> None:
    """Change the file as no store would."""
    connection = driver().connect(str(store.path))
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE experiments SET identity = 'x'", "experiment"),
        ("UPDATE experiments SET model_key = 'x'", "experiment"),
        ("UPDATE experiments SET doc = replace(doc, 'accuracy', 'f1')", "experiment"),
        ("UPDATE outcomes SET value = 0", "outcome"),
        ("UPDATE outcomes SET variant = 'B'", "outcome"),
        ("UPDATE outcomes SET late = 1", "outcome"),
        ("UPDATE outcomes SET doc = '{}'", "outcome"),
        ("UPDATE exposures SET doc = replace(doc, '3', '4')", "exposure"),
        ("UPDATE outcome_values SET value = 2", "cost to sum up is not that of its document"),
        ("UPDATE outcome_values SET variant = 'B'", "cost to sum up"),
        ("DELETE FROM outcome_values", "cost to sum up"),
        (
            "INSERT INTO outcome_values SELECT experiment_id, 'm', unit, draw, variant, value, late FROM outcomes",
            "2 are there, the outcomes hold 1",
        ),
    ],
)
def test_every_change_behind_the_store_is_found(store, statement, finding):
    assert list(store.check()) == []
    run(store, statement)
    assert finding in "\n".join(store.check())


@pytest.mark.parametrize(
    ("table", "query"),
    [
        ("experiments", ExperimentQuery()),
        ("outcomes", OutcomeQuery(experiment_id=FIRST)),
        ("exposures", ExposureQuery(experiment_id=FIRST)),
    ],
)
def test_a_changed_row_is_never_answered(store, table, query):
    run(store, f"UPDATE {table} SET revision = revision + 1")
    with pytest.raises(IntegrityError, match="does not match its own digest"):
        everything(store, query)
