"""One peer in its own environment: reads a round's number per line, answers with the seconds it took.

    python benchmarks/peer.py FORM FOLDER

Not imported by anything: ``bench_register.py`` runs it with the interpreter that has the peers installed. The forms
of a peer are different ways of doing the same work with its public calls; the fastest one counts.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
from work import NAME, Work

Register = Callable[[int], object]


def bentoml_save(work: Work, folder: Path) -> Register:
    """The call that its guide shows for scikit-learn."""
    os.environ["BENTOML_HOME"] = str(folder)
    import bentoml

    def register(number: int) -> None:
        facts = {"params": work.params, "metrics": work.metrics}
        bentoml.sklearn.save_model(NAME, work.turn(number), labels=work.tags(number), metadata=facts)

    return register


def bentoml_create(work: Work, folder: Path) -> Register:
    """The leaner call: a folder to write into, named and labelled."""
    os.environ["BENTOML_HOME"] = str(folder)
    import bentoml

    def register(number: int) -> None:
        facts = {"params": work.params, "metrics": work.metrics}
        with bentoml.models.create(NAME, labels=work.tags(number), metadata=facts) as kept:
            joblib.dump(work.turn(number), kept.path_of("model.joblib"))

    return register


def mlflow_client(folder: Path) -> Any:
    """A client of an embedded SQLite store, with the model's name made."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    client = mlflow.MlflowClient()
    client.create_registered_model(NAME)
    return client


def mlflow_bare(work: Work, folder: Path) -> Register:
    """The least that has every fact: a file of our own, and params, metrics and tags all as version tags."""
    client = mlflow_client(folder)

    def register(number: int) -> None:
        path = folder / f"{number}.joblib"
        joblib.dump(work.turn(number), path)
        facts = {**work.tags(number), **work.params, **work.metrics}
        tags = {key: str(value) for key, value in facts.items()}
        client.create_model_version(NAME, path.as_uri(), tags=tags, await_creation_for=0)

    return register


def mlflow_run(work: Work, folder: Path) -> Register:
    """Leanest calls that keep metrics as metrics: a run with one batch of facts, its file, a version of it."""
    client = mlflow_client(folder)
    from mlflow.entities import Metric, Param, RunTag

    experiment = client.create_experiment("bench", artifact_location=(folder / "artifacts").as_uri())

    def register(number: int) -> None:
        run = client.create_run(experiment)
        now = int(time.time() * 1000)
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(key, value, now, 0) for key, value in work.metrics.items()],
            params=[Param(key, str(value)) for key, value in work.params.items()],
            tags=[RunTag(key, value) for key, value in work.tags(number).items()],
        )
        path = Path(run.info.artifact_uri.removeprefix("file://")) / "model.joblib"
        path.parent.mkdir(parents=True)
        joblib.dump(work.turn(number), path)
        client.create_model_version(
            NAME,
            path.as_uri(),
            run_id=run.info.run_id,
            tags=work.tags(number),
            await_creation_for=0,
        )
        client.set_terminated(run.info.run_id)

    return register


def mlflow_log_model(work: Work, folder: Path) -> Register:
    """What its guide shows, with the requirements given so that nothing is imported to infer them."""
    client = mlflow_client(folder)
    import mlflow
    import mlflow.sklearn

    client.create_experiment("bench", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment("bench")

    def register(number: int) -> None:
        with mlflow.start_run():
            mlflow.log_params(work.params)
            mlflow.log_metrics(work.metrics)
            mlflow.set_tags(work.tags(number))
            mlflow.sklearn.log_model(
                work.turn(number),
                name="model",
                registered_model_name=NAME,
                pip_requirements=["scikit-learn"],
                serialization_format="cloudpickle",
            )

    return register


FORMS: dict[str, Callable[[Work, Path], Register]] = {
    "BentoML save_model": bentoml_save,
    "BentoML models.create": bentoml_create,
    "MLflow version only": mlflow_bare,
    "MLflow run and version": mlflow_run,
    "MLflow log_model": mlflow_log_model,
}


def main() -> None:
    """Answer until the other side has had enough."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the peer prints must not end up among the answers
    register = FORMS[sys.argv[1]](Work(seed=1), Path(sys.argv[2]))
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        register(int(line))
        print(time.perf_counter() - begun, file=answers, flush=True)


if __name__ == "__main__":
    main()
