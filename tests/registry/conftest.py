"""A registry in a fresh folder, and a model to put there."""

from __future__ import annotations

import pytest
from tests.homes import alone, folder, registry

__all__ = ["alone", "estimator", "folder", "registry"]


@pytest.fixture(scope="session")
def estimator():
    """A fitted scikit-learn model and data to ask it about."""
    linear = pytest.importorskip("sklearn.linear_model")
    datasets = pytest.importorskip("sklearn.datasets")
    rows, labels = datasets.make_classification(n_samples=60, n_features=5, random_state=42)
    return linear.LogisticRegression(max_iter=500).fit(rows, labels), rows
