"""catboost: checked where it is installed, which takes a large package; everything else of it is checked always."""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.domain.errors import InvalidInput, LoadRefused
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import detect
from modelyard.flavors.catboost import CatboostFlavor
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.testing.flavors import FlavorContract

NEEDED = "catboost is not installed: pip install 'modelyard[catboost]'"


@cache
def data() -> Any:
    random = np.random.default_rng(7)
    rows = random.normal(size=(80, 3))
    return rows, np.where(rows[:, 0] > 0, "yes", "no"), rows[:, 1]


def options() -> dict[str, Any]:
    return {"iterations": 4, "depth": 2, "verbose": False, "thread_count": 1, "allow_writing_files": False}


@pytest.mark.long
class TestClassifier(FlavorContract):
    flavor = CatboostFlavor()
    data_only = True

    def model(self) -> Any:
        catboost = pytest.importorskip("catboost", reason=NEEDED)
        return catboost.CatBoostClassifier(**options()).fit(*data()[:2])

    def same(self, a: Any, b: Any) -> bool:
        rows = data()[0]
        return type(a) is type(b) and np.array_equal(a.predict(rows), b.predict(rows))

    def test_what_can_be_known_is_recorded(self, folder: Path) -> None:
        model = self.model()
        assert detect.flavor_for(model).name == "catboost"
        record = self.flavor.save(model, folder, self.options)
        assert (record.framework, record.algorithm) == ("catboost", "CatBoostClassifier")
        assert record.hyperparams["depth"] == 2
        assert record.facts == {
            "n_features_in": 3,
            "feature_names_in": ["0", "1", "2"],
            "classes": ["no", "yes"],
            "num_trees": 4,
        }

    def test_a_file_of_its_own_is_known_and_loads_and_a_broken_one_is_refused(self, folder: Path) -> None:
        self.model().save_model(str(folder / "nameless"))
        record = detect.flavor_of_file(folder / "nameless")
        assert record.name == "catboost"
        assert type(detect.load(folder, record, Trust())).__name__ == "CatBoost"
        whole = (folder / "nameless").read_bytes()
        (folder / "nameless").write_bytes(whole[:8] + bytes(len(whole) - 8))
        with pytest.raises(LoadRefused, match="catboost says"):
            detect.load(folder, record, Trust())


@pytest.mark.long
class TestRegressor(FlavorContract):
    flavor = CatboostFlavor()
    data_only = True

    def model(self) -> Any:
        catboost = pytest.importorskip("catboost", reason=NEEDED)
        return catboost.CatBoostRegressor(**options()).fit(data()[0], data()[2])

    def same(self, a: Any, b: Any) -> bool:
        rows = data()[0]
        return type(a) is type(b) and np.array_equal(a.predict(rows), b.predict(rows))


def test_what_is_not_catboosts_is_refused_without_it(tmp_path: Path) -> None:
    path = tmp_path / "model.cbm"
    path.write_bytes(b"something else")
    record = FlavorRecord(name="catboost", entry=path.name)
    with pytest.raises(LoadRefused, match="not a CatBoost that catboost wrote"):
        CatboostFlavor().load(tmp_path, record, Trust())
    path.write_bytes(b"CBM1" + struct.pack("<I", 24) + bytes(24))
    named = FlavorRecord(name="catboost", entry=path.name, options={"class": "Popen"})
    with pytest.raises(LoadRefused, match="Popen"):
        CatboostFlavor().load(tmp_path, named, Trust())
    assert detect.flavor_of_file(path).name == "catboost"
    with pytest.raises(InvalidInput, match="fitted model of catboost"):
        CatboostFlavor().save(object(), tmp_path, SaveOptions())
