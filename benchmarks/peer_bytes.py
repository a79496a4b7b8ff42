"""A file to MLflow's server and back by MLflow's own client: seconds of the best round each, as JSON.

    python benchmarks/peer_bytes.py URL FILE FOLDER ROUNDS

Not imported by anything: ``bench_server_bytes.py`` runs it with the interpreter that has MLflow.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient


def seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def main() -> None:
    """One run after the other, each with the file among its artifacts."""
    url, source, folder, rounds = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    client = MlflowClient(url)
    experiment = client.create_experiment("bytes")
    up, down = [], []
    for _ in range(rounds):
        run = client.create_run(experiment).info.run_id
        up.append(seconds(lambda run=run: client.log_artifact(run, source)))
        down.append(seconds(lambda run=run: client.download_artifacts(run, source.name, folder)))
        (folder / source.name).unlink()
    print(json.dumps({"up": min(up), "down": min(down)}))


if __name__ == "__main__":
    main()
