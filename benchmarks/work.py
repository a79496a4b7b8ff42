"""The piece of work that registrations are measured with, and the least that does it durably by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

NAME = "classifier"


class Work:
    """A small scikit-learn model with 10 params, 5 metrics and 5 tags; other bytes at every turn."""

    def __init__(self, seed: int = 0) -> None:
        import numpy
        from sklearn.linear_model import LogisticRegression

        self._draw = numpy.random.default_rng(seed)
        inputs = self._draw.random((200, 30))
        self.model: Any = LogisticRegression().fit(inputs, inputs.sum(axis=1) > 15)
        self.params = {f"param_{n}": n / 10 for n in range(10)}
        self.metrics = {f"metric_{n}": 0.5 + n / 20 for n in range(5)}

    def turn(self, number: int) -> Any:
        """The model with coefficients that nobody has stored before."""
        self.model.coef_ = self._draw.random(self.model.coef_.shape)
        return self.model

    def tags(self, number: int) -> dict[str, str]:
        return {f"tag_{n}": f"run {number}" for n in range(5)}


class Floor:
    """joblib to a temporary file, fsync, rename, fsync of the folder, one row in one durable SQLite commit.

    The same SQLite library, journal and durability as the product, and nothing else of it: no digest, no scan, no
    history.
    """

    def __init__(self, folder: Path, work: Work) -> None:
        from modelyard.adapters.metadata.sqlite import driver

        self.folder, self.work = folder, work
        folder.mkdir(exist_ok=True)
        self.connection = driver().connect(str(folder / "floor.db"), isolation_level=None, timeout=30)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self.connection.execute(f"PRAGMA {pragma}").fetchall()
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS versions (number INTEGER PRIMARY KEY, facts TEXT)"
        )

    def register(self, number: int) -> None:
        """One version."""
        import joblib

        model = self.work.turn(number)
        draft, final = self.folder / f"draft-{os.getpid()}", self.folder / f"{os.getpid()}-{number}.joblib"
        joblib.dump(model, draft)
        descriptor = os.open(draft, os.O_RDWR)
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(draft, final)
        descriptor = os.open(self.folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        facts = {"params": self.work.params, "metrics": self.work.metrics, "tags": self.work.tags(number)}
        self.connection.execute("INSERT INTO versions (facts) VALUES (?)", (json.dumps(facts),))

    def close(self) -> None:
        self.connection.close()


def register(registry: Any, work: Work, number: int, name: str = NAME) -> str:
    """The same work through the public class."""
    return registry.register_model(
        work.turn(number),
        name,
        performance_metrics=work.metrics,
        hyperparams=work.params,
        tags=work.tags(number),
    )
