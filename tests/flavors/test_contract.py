"""Every built-in flavor keeps the law."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus.honest import toy
from modelyard.flavors.joblib import JoblibFlavor
from modelyard.flavors.numpy import NumpyFlavor
from modelyard.flavors.pickle import PickleFlavor
from modelyard.flavors.raw import DirectoryFlavor, FileFlavor
from modelyard.flavors.safetensors import SafetensorsFlavor
from modelyard.flavors.skops import SkopsFlavor
from modelyard.ports.flavors import SaveOptions
from modelyard.testing.flavors import FlavorContract


class Classifier(FlavorContract):
    def model(self) -> Any:
        from sklearn.linear_model import LogisticRegression

        rows, y, _ = toy()
        return LogisticRegression().fit(rows, y)

    def same(self, a: Any, b: Any) -> bool:
        rows, _, _ = toy()
        return type(a) is type(b) and bool((a.predict_proba(rows) == b.predict_proba(rows)).all())


class TestJoblib(Classifier):
    flavor = JoblibFlavor()


class TestJoblibForest(FlavorContract):
    flavor = JoblibFlavor()

    def model(self) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        rows, _, y = toy()
        return RandomForestRegressor(5, random_state=0).fit(rows, y)

    def same(self, a: Any, b: Any) -> bool:
        rows, _, _ = toy()
        return bool((a.predict(rows) == b.predict(rows)).all())


class TestJoblibZlib(Classifier):
    flavor = JoblibFlavor()
    options = SaveOptions(compress=3)


class TestJoblibXz(Classifier):
    flavor = JoblibFlavor()
    options = SaveOptions(compress=("xz", 1))


class TestPickle(Classifier):
    flavor = PickleFlavor()


class TestPickleGzip(Classifier):
    flavor = PickleFlavor()
    options = SaveOptions(compress=True)


class TestSkops(Classifier):
    flavor = SkopsFlavor()
    stable = False


class Arrays(FlavorContract):
    data_only = True

    def model(self) -> Any:
        return {
            "b": np.arange(6.0).reshape(2, 3),
            "a": np.array(3, dtype="i4"),
            "empty": np.zeros((0, 2), "f4"),
        }

    def same(self, a: Any, b: Any) -> bool:
        return a.keys() == b.keys() and all(
            a[name].dtype == b[name].dtype and np.array_equal(a[name], b[name]) for name in a
        )


class TestSafetensors(Arrays):
    flavor = SafetensorsFlavor()


class TestNpz(Arrays):
    flavor = NumpyFlavor()


class TestNpy(FlavorContract):
    flavor = NumpyFlavor()
    data_only = True

    def model(self) -> Any:
        return np.array([[1, 2], [3, 4]], dtype="u2")

    def same(self, a: Any, b: Any) -> bool:
        return a.dtype == b.dtype and np.array_equal(a, b)


class TestFile(FlavorContract):
    flavor = FileFlavor()
    data_only = True

    @pytest.fixture(autouse=True)
    def source(self, tmp_path: Path) -> None:
        self.path = tmp_path / "weights.bin"
        self.path.write_bytes(b"anything")

    def model(self) -> Any:
        return self.path

    def same(self, a: Any, b: Any) -> bool:
        return a.read_bytes() == b.read_bytes()


class TestDirectory(FlavorContract):
    flavor = DirectoryFlavor()
    data_only = True

    @pytest.fixture(autouse=True)
    def source(self, tmp_path: Path) -> None:
        self.path = tmp_path / "saved_model"
        (self.path / "deep").mkdir(parents=True)
        (self.path / "deep" / "part").write_bytes(b"1")
        (self.path / "config.json").write_bytes(b"{}")

    def model(self) -> Any:
        return self.path

    def same(self, a: Any, b: Any) -> bool:
        return sorted(p.relative_to(a) for p in a.rglob("*")) == sorted(
            p.relative_to(b) for p in b.rglob("*")
        )
