"""xgboost and lightgbm: their own files, exact enough that nobody notices the way through the registry."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import InvalidInput, LoadRefused
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import detect
from modelyard.flavors.lightgbm import LightgbmFlavor
from modelyard.flavors.xgboost import XgboostFlavor
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.testing.flavors import FlavorContract

xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed: pip install 'modelyard[xgboost]'")
lightgbm = pytest.importorskip(
    "lightgbm", reason="lightgbm is not installed: pip install 'modelyard[lightgbm]'"
)


@cache
def frame() -> pd.DataFrame:
    random = np.random.default_rng(7)
    return pd.DataFrame(random.normal(size=(120, 3)), columns=["age", "sum", "days"])


def labels() -> Any:
    return (frame()["age"] > 0).astype(int)


def words() -> Any:
    return np.array(["no", "yes", "maybe"])[np.digitize(frame()["sum"], [-0.5, 0.5])]


def xgb_classifier(**options: Any) -> Any:
    return xgboost.XGBClassifier(n_estimators=4, max_depth=2, n_jobs=1, **options).fit(frame(), labels())


def lgb_classifier(**options: Any) -> Any:
    return lightgbm.LGBMClassifier(n_estimators=4, verbose=-1, n_jobs=1, **options).fit(frame(), words())


def same_predictions(a: Any, b: Any) -> bool:
    return type(a) is type(b) and np.array_equal(a.predict(frame()), b.predict(frame()))


class Estimator(FlavorContract):
    data_only = True

    def same(self, a: Any, b: Any) -> bool:
        return same_predictions(a, b) and repr(sorted(a.get_params().items())) == repr(
            sorted(b.get_params().items())
        )


class TestXgbClassifier(Estimator):
    flavor = XgboostFlavor()

    def model(self) -> Any:
        return xgb_classifier()


class TestXgbRegressor(Estimator):
    flavor = XgboostFlavor()

    def model(self) -> Any:
        return xgboost.XGBRegressor(n_estimators=3, booster="dart", n_jobs=1).fit(frame(), frame()["sum"])


class TestXgbForest(Estimator):
    flavor = XgboostFlavor()

    def model(self) -> Any:
        return xgboost.XGBRFClassifier(n_estimators=3, n_jobs=1).fit(frame(), labels())


class TestXgbBooster(FlavorContract):
    flavor = XgboostFlavor()
    data_only = True

    def model(self) -> Any:
        return xgb_classifier().get_booster()

    def same(self, a: Any, b: Any) -> bool:
        return bytes(a.save_raw("ubj")) == bytes(b.save_raw("ubj"))


class TestLgbClassifier(Estimator):
    flavor = LightgbmFlavor()

    def model(self) -> Any:
        return lgb_classifier()

    def same(self, a: Any, b: Any) -> bool:
        return super().same(a, b) and np.array_equal(a.predict_proba(frame()), b.predict_proba(frame()))


class TestLgbRegressor(Estimator):
    flavor = LightgbmFlavor()

    def model(self) -> Any:
        return lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, n_jobs=1).fit(frame(), frame()["sum"])


class TestLgbRanker(Estimator):
    flavor = LightgbmFlavor()

    def model(self) -> Any:
        ranker = lightgbm.LGBMRanker(n_estimators=3, verbose=-1, n_jobs=1)
        return ranker.fit(frame(), labels(), group=[60, 60])


class TestLgbBooster(FlavorContract):
    flavor = LightgbmFlavor()
    data_only = True

    def model(self) -> Any:
        return lgb_classifier().booster_

    def same(self, a: Any, b: Any) -> bool:
        return np.array_equal(a.predict(frame()), b.predict(frame())) and a.num_trees() == b.num_trees()


def through(model: Any, folder: Path, form: str = "") -> tuple[FlavorRecord, Any]:
    record = detect.flavor_for(model).save(model, folder, SaveOptions())
    json.dumps(record.options, allow_nan=False)
    return record, detect.load(folder, record, Trust(pinned=record.globals), form)


def test_what_can_be_known_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "l").mkdir()
    one, _ = through(xgb_classifier(), tmp_path / "x")
    two, _ = through(lgb_classifier(), tmp_path / "l")
    names = ["age", "sum", "days"]
    assert (one.framework, one.algorithm) == ("xgboost", "XGBClassifier")
    assert one.framework_version == xgboost.__version__
    assert one.hyperparams["max_depth"] == 2
    assert one.facts == {
        "n_features_in": 3, "feature_names_in": names, "classes": [0, 1], "num_trees": 4, "num_rounds": 4,
        "objective": "binary:logistic",
    }  # fmt: skip
    assert (two.framework, two.algorithm) == ("lightgbm", "LGBMClassifier")
    assert two.framework_version == lightgbm.__version__
    assert two.hyperparams["n_estimators"] == 4
    assert two.facts == {
        "n_features_in": 3, "feature_names_in": names, "classes": ["maybe", "no", "yes"], "num_trees": 12,
    }  # fmt: skip


def test_a_booster_without_parameters_of_its_own_says_how_it_was_trained(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "l").mkdir()
    one, _ = through(xgb_classifier().get_booster(), tmp_path / "x")
    two, _ = through(lgb_classifier().booster_, tmp_path / "l")
    assert (one.hyperparams["max_depth"], one.hyperparams["objective"]) == ("2", "binary:logistic")
    assert two.hyperparams["objective"] == "multiclass"


def test_stopping_early_is_kept(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    noise = random.integers(0, 2, 120)
    (tmp_path / "x").mkdir()
    (tmp_path / "l").mkdir()
    fitted = xgboost.XGBClassifier(n_estimators=50, early_stopping_rounds=2, n_jobs=1).fit(
        frame()[:60], noise[:60], eval_set=[(frame()[60:], noise[60:])], verbose=False
    )
    _, loaded = through(fitted, tmp_path / "x")
    assert loaded.best_iteration == fitted.best_iteration < 49
    assert same_predictions(loaded, fitted)
    stopped = lightgbm.LGBMClassifier(n_estimators=50, verbose=-1, n_jobs=1, min_child_samples=2).fit(
        frame()[:60],
        noise[:60],
        eval_X=frame()[60:],
        eval_y=noise[60:],
        callbacks=[lightgbm.early_stopping(2, verbose=False)],
    )
    _, loaded = through(stopped, tmp_path / "l")
    assert loaded.best_iteration_ == stopped.best_iteration_ < 50
    assert loaded.best_score_ == stopped.best_score_
    assert same_predictions(loaded, stopped)


@pytest.mark.parametrize("kind", ["str", "bool", "float", "int"])
def test_class_labels_keep_their_type(kind: str, tmp_path: Path) -> None:
    target = labels().to_numpy()
    target = target.astype(kind) if kind != "int" else target * 7 - 3
    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1, class_weight="balanced")
    _, loaded = through(model.fit(frame(), target), tmp_path)
    assert loaded.classes_.dtype == model.classes_.dtype
    assert same_predictions(loaded, model)


def test_a_loaded_estimator_can_be_cloned_and_trained_again(tmp_path: Path) -> None:
    from sklearn.base import clone

    for at, model in enumerate([xgb_classifier(gamma=0.1), lgb_classifier(class_weight={"no": 2.0})]):
        folder = tmp_path / str(at)
        folder.mkdir()
        _, loaded = through(model, folder)
        target = labels() if at == 0 else words()
        assert same_predictions(clone(loaded).fit(frame(), target), clone(model).fit(frame(), target))


def test_an_estimator_can_be_had_as_its_booster(tmp_path: Path) -> None:
    for at, model in enumerate([xgb_classifier(), lgb_classifier()]):
        folder = tmp_path / str(at)
        folder.mkdir()
        record, booster = through(model, folder, form="booster")
        assert type(booster).__name__ == "Booster"
        with pytest.raises(InvalidInput, match=r"form='session'.*'booster'"):
            detect.load(folder, record, Trust(), "session")


class Mine(xgboost.XGBClassifier):  # type: ignore[misc]
    pass


def objective(truth: Any, guess: Any) -> Any:
    return guess - truth, np.ones_like(guess)


def test_what_the_native_file_cannot_hold_goes_to_joblib_with_everything_in_it() -> None:
    lasting = lgb_classifier()
    lasting.remark_ = "kept"
    others = {
        "subclass": Mine(n_estimators=1, n_jobs=1).fit(frame(), labels()),
        "unfitted": xgboost.XGBClassifier(),
        "unfitted too": lightgbm.LGBMClassifier(),
        "function": xgboost.XGBRegressor(n_estimators=1, objective=objective).fit(frame(), frame()["sum"]),
        "function too": lightgbm.LGBMRegressor(n_estimators=1, objective=objective, verbose=-1).fit(
            frame(), frame()["sum"]
        ),
        "generator": lightgbm.LGBMClassifier(
            n_estimators=1, verbose=-1, random_state=np.random.RandomState(0)
        ).fit(frame(), labels()),
        "more state": lasting,
    }
    assert {name: detect.flavor_for(model).name for name, model in others.items()} == dict.fromkeys(
        others, "joblib"
    )
    for flavor in (XgboostFlavor(), LightgbmFlavor()):
        with pytest.raises(InvalidInput, match="joblib"):
            flavor.save(others["unfitted"], Path("/nowhere"), SaveOptions())


@pytest.mark.parametrize("last", ["xgb", "lgb"])
def test_a_pipeline_that_holds_one_is_judged_clean_and_loads_for_everybody(last: str, tmp_path: Path) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    step = (
        xgboost.XGBClassifier(n_estimators=2, n_jobs=1)
        if last == "xgb"
        else lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1)
    )
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), step).fit(frame(), labels())
    record, loaded = through(pipeline, tmp_path)
    assert record.name == "joblib"
    assert record.facts["steps"][1] == {"name": type(step).__name__.lower(), "class": type(step).__name__}
    assert (record.facts["n_features_in"], record.facts["feature_names_in"]) == (3, ["age", "sum", "days"])
    assert same_predictions(loaded, pipeline)


def test_files_of_the_libraries_are_known_by_content_and_load(tmp_path: Path) -> None:
    fitted = xgb_classifier()
    fitted.save_model(tmp_path / "a.ubj")
    fitted.save_model(tmp_path / "a.json")
    fitted.get_booster().save_model(tmp_path / "b.ubj")
    lgb_classifier().booster_.save_model(tmp_path / "c.txt")
    expected = {
        "a.ubj": ("xgboost", "XGBClassifier"),
        "a.json": ("xgboost", "XGBClassifier"),
        "b.ubj": ("xgboost", "Booster"),
        "c.txt": ("lightgbm", "Booster"),
    }
    for name, (flavor, algorithm) in expected.items():
        path = (tmp_path / name).rename(tmp_path / "nameless")
        record = detect.flavor_of_file(path)
        assert (record.name, record.framework, record.algorithm) == (flavor, flavor, algorithm)
        assert (record.facts["n_features_in"], record.facts["feature_names_in"]) == (
            3,
            ["age", "sum", "days"],
        )
        assert type(detect.load(tmp_path, record, Trust())).__name__ == algorithm


@pytest.mark.parametrize("cut", [1, 40, 300, 1000])
def test_damaged_files_are_refused_before_the_library_reads_them(cut: int, tmp_path: Path) -> None:
    record, _ = through(xgb_classifier(), tmp_path)
    path = tmp_path / record.entry
    whole = path.read_bytes()
    for damaged in (whole[:-cut], whole + b"x" * cut):
        path.write_bytes(damaged)
        with pytest.raises(LoadRefused, match="UBJSON"):
            XgboostFlavor().load(tmp_path, record, Trust())
        assert detect.flavor_of_file(path).name == "file"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"class": "Popen"}, "Popen"),
        ({"class": "XGBClassifier", "params": {"nonsense_of": {"$tuple": 3}}}, "damaged"),
        ({"class": "XGBRegressor"}, "xgboost says"),
    ],
)
def test_a_record_that_was_tampered_with_is_refused(options: Any, words: str, tmp_path: Path) -> None:
    record, _ = through(xgb_classifier(), tmp_path)
    with pytest.raises(LoadRefused, match=words):
        XgboostFlavor().load(
            tmp_path, FlavorRecord(name="xgboost", entry=record.entry, options=options), Trust()
        )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"class": "Popen"}, "Popen"),
        ({"class": "LGBMClassifier"}, "damaged"),
        ({"class": "LGBMClassifier", "state": {"classes": ["a"]}}, "damaged"),
    ],
)
def test_a_lightgbm_record_that_was_tampered_with_is_refused(
    options: Any, words: str, tmp_path: Path
) -> None:
    record, _ = through(lgb_classifier(), tmp_path)
    with pytest.raises(LoadRefused, match=words):
        LightgbmFlavor().load(
            tmp_path, FlavorRecord(name="lightgbm", entry=record.entry, options=options), Trust()
        )


def test_a_text_that_only_begins_like_lightgbm_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    path.write_text("tree\nversion=v4\nnum_class=1\nTree=0\nnum_leaves=nonsense\n")
    record = detect.flavor_of_file(path)
    assert record.name == "lightgbm"
    with pytest.raises(LoadRefused, match="not a model that lightgbm wrote"):
        detect.load(tmp_path, record, Trust())
    path.write_text("something else")
    with pytest.raises(LoadRefused, match="not a model that lightgbm wrote"):
        detect.load(tmp_path, record, Trust())


def test_a_registry_gives_back_what_it_was_given(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "registry")
    for name, model in {"x": xgb_classifier(), "l": lgb_classifier()}.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = registry.get_model(registry.register_model(model, name))
        assert same_predictions(registry.load_model(name), model)
        assert type(registry.load_model(name, form="booster")).__name__ == "Booster"
        assert (found.scan, found.framework, found.algorithm) == (
            "clean",
            type(model).__module__.partition(".")[0],
            type(model).__name__,
        )
        assert {report.kind for report in found.scans.values()} == {"data"}
