"""statsmodels: results under the guard, and formulas, which are programs."""

from __future__ import annotations

import copyreg
import operator
import os
import pickle
import types
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import InvalidInput, LoadRefused
from modelyard.flavors import detect, guard
from modelyard.flavors.statsmodels import StatsmodelsFlavor
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.scanning.symbols import FORMULA
from modelyard.testing.flavors import FlavorContract

pytest.importorskip(
    "statsmodels", reason="statsmodels is not installed: pip install 'modelyard[statsmodels]'"
)


@cache
def frame() -> pd.DataFrame:
    random = np.random.default_rng(7)
    table = pd.DataFrame({"x": random.normal(size=60) + 5, "z": random.normal(size=60), "g": list("ab") * 30})
    table["y"] = 2 * table.x + table.z + random.normal(size=60)
    table["hit"] = (table.y > table.y.median()).astype(int)
    return table


def design() -> Any:
    import statsmodels.api as sm

    return sm.add_constant(frame()[["x", "z"]])


def ols() -> Any:
    import statsmodels.api as sm

    return sm.OLS(frame().y, design()).fit()


def by_formula(formula: str = "y ~ np.log(x) + C(g)") -> Any:
    import statsmodels.formula.api as smf

    return smf.ols(formula, frame()).fit()


def arima() -> Any:
    from statsmodels.tsa.arima.model import ARIMA

    return ARIMA(frame().y.to_numpy(), order=(1, 0, 0)).fit()


def several() -> dict[str, Callable[[], Any]]:
    import statsmodels.api as sm
    from statsmodels.tsa.ar_model import AutoReg
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    table = frame()
    return {
        "OLS": lambda: sm.OLS(table.y.to_numpy(), design().to_numpy()).fit(),
        "WLS": lambda: sm.WLS(table.y, design(), weights=np.ones(60)).fit(),
        "RLM": lambda: sm.RLM(table.y, design()).fit(),
        "Logit": lambda: sm.Logit(table.hit, design()).fit(disp=0),
        "Poisson": lambda: sm.Poisson(table.hit, design()).fit(disp=0),
        "MNLogit": lambda: sm.MNLogit(table.hit, design()).fit(disp=0),
        "NegativeBinomial": lambda: sm.NegativeBinomial(
            table.hit + 1, design(), loglike_method="geometric"
        ).fit(disp=0),
        "GLM": lambda: sm.GLM(table.hit, design(), family=sm.families.Binomial()).fit(),
        "GEE": lambda: sm.GEE(table.y, design(), groups=np.arange(60) // 5).fit(),
        "QuantReg": lambda: sm.QuantReg(table.y, design()).fit(),
        "AutoReg": lambda: AutoReg(table.y.to_numpy(), 2).fit(),
        "ExponentialSmoothing": lambda: ExponentialSmoothing(table.y.to_numpy()).fit(),
    }


class Results(FlavorContract):
    flavor = StatsmodelsFlavor()

    def same(self, a: Any, b: Any) -> bool:
        equal = np.array_equal(np.asarray(a.params), np.asarray(b.params))
        return equal and str(a.summary().tables[1]) == str(b.summary().tables[1])


class TestOls(Results):
    def model(self) -> Any:
        return ols()


class TestFormula(Results):
    trusted = (FORMULA,)

    def model(self) -> Any:
        return by_formula()


def saved(model: Any, folder: Path) -> Any:
    return StatsmodelsFlavor().save(model, folder, SaveOptions())


def load(folder: Path, record: Any, *allowed: str) -> Any:
    return StatsmodelsFlavor().load(folder, record, Trust(pinned=record.globals, allowed=allowed))


@pytest.mark.parametrize("name", sorted(several()))
@pytest.mark.filterwarnings("ignore:.*converge", "ignore:.*onvergence", "ignore:divide by zero")
def test_results_load_for_everybody_and_predict_the_same(name: str, tmp_path: Path) -> None:
    model = several()[name]()
    assert detect.flavor_for(model).name == "statsmodels"
    record = saved(model, tmp_path)
    assert (record.framework, record.algorithm) == ("statsmodels", name)
    loaded = load(tmp_path, record)
    assert type(loaded) is type(model)
    assert type(loaded.model) is type(model.model)
    if name == "ExponentialSmoothing":
        assert np.array_equal(loaded.forecast(3), model.forecast(3))
    else:
        assert np.allclose(np.asarray(loaded.predict()), np.asarray(model.predict()), equal_nan=True)
    if name == "NegativeBinomial":  # methods that are chosen when the model is made
        assert loaded.model.loglike(loaded.params) == pytest.approx(model.model.loglike(model.params))


def test_what_the_model_says_of_itself_is_recorded(tmp_path: Path) -> None:
    import statsmodels
    import statsmodels.api as sm

    record = saved(sm.GLM(frame().hit, design(), family=sm.families.Binomial()).fit(), tmp_path)
    assert record.framework_version == statsmodels.__version__
    assert record.hyperparams == {"family": "Binomial", "link": "Logit"}
    assert record.facts == {
        "feature_names_in": ["const", "x", "z"],
        "target_names": ["hit"],
        "n_features_in": 3,
        "num_parameters": 3,
        "num_observations": 60,
    }
    counted = saved(several()["NegativeBinomial"](), tmp_path)
    assert (counted.facts["n_features_in"], len(counted.facts["feature_names_in"])) == (3, 3)


def test_a_formula_needs_trust_by_its_own_name_and_predicts_from_raw_columns(tmp_path: Path) -> None:
    model = by_formula()
    record = saved(model, tmp_path)
    assert FORMULA in record.globals
    assert record.hyperparams["formula"] == "y ~ np.log(x) + C(g)"
    for allowed in ((), ("*",), ("statsmodels.*",)):
        with pytest.raises(LoadRefused) as refused:
            load(tmp_path, record, *allowed)
        assert refused.value.data["globals"] == [FORMULA]
    loaded = load(tmp_path, record, FORMULA)
    assert np.allclose(loaded.predict(frame()[:5]), model.predict(frame()[:5]))


def test_a_formula_that_needs_more_than_it_brings_is_refused_in_words(tmp_path: Path) -> None:
    def half(values: Any) -> Any:
        return values / 2

    import statsmodels.formula.api as smf

    record = saved(smf.ols("y ~ half(x)", frame()).fit(), tmp_path)
    with pytest.raises(LoadRefused, match=r"half\(x\).*cannot be restored"):
        load(tmp_path, record, FORMULA)


def test_state_space_models_need_trust_unless_they_are_your_own(tmp_path: Path) -> None:
    model = arima()
    record = saved(model, tmp_path)
    assert record.hyperparams["order"] == [1, 0, 0]
    with pytest.raises(LoadRefused):
        load(tmp_path, record)
    loaded = StatsmodelsFlavor().load(tmp_path, record, Trust(pinned=record.globals, own=record.globals))
    assert np.allclose(loaded.forecast(3), model.forecast(3))


def test_only_results_are_taken(tmp_path: Path) -> None:
    import statsmodels.api as sm

    unfitted = sm.OLS(frame().y, design())
    assert detect.flavor_for(unfitted).name == "pickle"
    with pytest.raises(InvalidInput, match="fit"):
        saved(unfitted, tmp_path)
    broken = ols()
    broken.note = lambda: None
    with pytest.raises(InvalidInput, match="cannot be pickled"):
        saved(broken, tmp_path)


def test_a_registry_gives_results_back_and_calls_them_clean(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "registry")
    model = ols()
    version = registry.get_model(registry.register_model(model, "demand"))
    assert (version.scan, version.framework, version.algorithm) == ("clean", "statsmodels", "OLS")
    assert registry.load_model("demand").params.equals(model.params)


def test_whoever_registered_a_formula_loads_it_and_others_are_told_what_to_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "mine"))
    registry = ModelRegistry(tmp_path / "registry")
    version = registry.get_model(registry.register_model(by_formula(), "demand"))
    assert version.scan == "unknown"
    assert registry.load_model("demand").params.equals(by_formula().params)
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "another"))
    with pytest.raises(LoadRefused, match=FORMULA):
        registry.load_model("demand")
    assert registry.load_model("demand", trust=[FORMULA]).params.equals(by_formula().params)


# Hostile results: a formula that runs when it is evaluated, hidden in ways that pickle allows.

MARK = "MODELYARD_TEST_FORMULA_RAN"
EVIL = f"__import__('os').environ.__setitem__('{MARK}', '1')"


class Raw:
    """Pickles as what it is told to: (callable, arguments, state)."""

    def __init__(self, *parts: Any):
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


def blank(cls: type, state: Any) -> Raw:
    """An object of the class that was never initialised, filled with the state."""
    return Raw(copyreg._reconstructor, (cls, object, None), state)


def holder(**more: Any) -> Raw:
    from statsmodels.base.data import PandasData

    return blank(
        PandasData, {"formula": EVIL, "orig_endog": frame()[["y"]], "orig_exog": frame()[["x"]], **more}
    )


def hidden() -> Raw:
    """The same with a key that only exists once the pickle runs, so that following it does not show it."""
    from statsmodels.base.data import PandasData

    key = Raw(operator.add, ("restore_", "model_spec"))
    pairs = Raw(dict, ([(key, True), ("formula", EVIL), ("frame", frame())],))
    return blank(PandasData, pairs)


def results(model: Any) -> Raw:
    from statsmodels.regression.linear_model import OLSResults

    return blank(OLSResults, {"model": model, "params": np.ones(1)})


def model(**state: Any) -> Raw:
    from statsmodels.regression.linear_model import OLS

    return blank(OLS, state)


def hostile() -> dict[str, Callable[[], Any]]:
    from statsmodels.regression.linear_model import OLS

    foreign = types.SimpleNamespace(model_spec=EVIL)
    return {
        "evaluated when loaded": lambda: holder(restore_model_spec=True),
        "evaluated when loaded, by the old key": lambda: holder(restore_design_info=True),
        "a key that is computed": hidden,
        "text instead of a design": lambda: results(model(formula="y ~ x", data=holder(model_spec=EVIL))),
        "text in the model": lambda: results(model(formula="y ~ x", model_spec=EVIL)),
        "foreign data": lambda: results(model(data=foreign)),
        "a foreign model": lambda: results(types.SimpleNamespace(formula="y ~ x", model_spec=EVIL)),
        "called": lambda: Raw(OLS, (np.ones(3), np.ones((3, 1)))),
        "a state that is no dict": lambda: blank(OLS, ({}, {"formula": EVIL})),
    }


@pytest.mark.parametrize("name", sorted(hostile()))
def test_a_hostile_formula_is_refused_and_never_evaluated(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(hostile()[name](), protocol=5))
    findings, _ = guard.traced(path, arrays=False)
    everything = Trust(pinned=findings.names, allowed=("*",))
    with pytest.raises(LoadRefused):
        guard.load_pickle(path, everything)
    assert MARK not in os.environ


@pytest.mark.parametrize("name", sorted(hostile()))
def test_the_second_wall_refuses_it_alone(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(hostile()[name](), protocol=5))
    findings, _ = guard.traced(path, arrays=False)
    trust = Trust(pinned=findings.names - {FORMULA}, allowed=("*",))
    with path.open("rb") as file, pytest.raises(LoadRefused):
        guard._Unpickler(file, trust, "model.pkl").whole()
    assert MARK not in os.environ


def test_the_payload_would_run_without_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MARK, raising=False)
    content = pickle.dumps(hostile()["evaluated when loaded"]())
    with pytest.raises(Exception, match=r"."):  # it fails after it ran
        pickle.loads(content)
    assert os.environ.pop(MARK) == "1"


@pytest.mark.parametrize("protocol", range(6))
def test_a_formula_is_seen_in_every_protocol(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(by_formula(), protocol=protocol))
    findings, _ = guard.traced(path, arrays=False)
    assert FORMULA in findings.names
    path.write_bytes(pickle.dumps(ols(), protocol=protocol))
    findings, _ = guard.traced(path, arrays=False)
    assert FORMULA not in findings.names
    assert guard.load_pickle(path, Trust(pinned=findings.names)).params.equals(ols().params)


# Arrow arrays, in which pandas keeps texts


def arrow(*data: Any) -> Raw:
    import pyarrow.lib

    return Raw(pyarrow.lib._restore_array, (data,))


def wide(name: str = "large_string") -> Raw:
    import pyarrow.lib

    return Raw(pyarrow.lib.type_for_alias, (name,))


def piece(content: Any) -> Raw:
    import pyarrow.lib

    return Raw(pyarrow.lib.py_buffer, (content,))


OFFSETS = np.array([0, 1, 2], dtype="<i8").tobytes()
LYING = np.array([0, 1, 2**40], dtype="<i8").tobytes()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (
            "offsets beyond the buffer",
            lambda: arrow(wide(), 2, 0, 0, [None, piece(LYING), piece(b"ab")], [], None),
        ),
        ("too long", lambda: arrow(wide(), 2**40, 0, 0, [None, piece(OFFSETS), piece(b"ab")], [], None)),
        ("a huge length", lambda: arrow(wide(), 2**70, 0, 0, [None, piece(OFFSETS), piece(b"ab")], [], None)),
        (
            "a negative offset",
            lambda: arrow(wide(), 2, 0, -5, [None, piece(OFFSETS), piece(b"ab")], [], None),
        ),
        ("a buffer too few", lambda: arrow(wide(), 2, 0, 0, [None, piece(OFFSETS)], [], None)),
        ("no buffers", lambda: arrow(wide("int64"), 2, 0, 0, [], [], None)),
        ("numbers too short", lambda: arrow(wide("int64"), 9, 0, 0, [None, piece(b"\0" * 8)], [], None)),
        ("children", lambda: arrow(wide(), 2, 0, 0, [None, piece(OFFSETS), piece(b"ab")], [1], None)),
        ("no type", lambda: arrow("string", 2, 0, 0, [None, piece(OFFSETS), piece(b"ab")], [], None)),
        ("no text", lambda: arrow(wide(), 2, 0, 0, [None, piece(OFFSETS), piece(b"\xff\xfe")], [], None)),
        ("too few parts", lambda: arrow(wide(), 2)),
        (
            "a buffer over an array",
            lambda: arrow(wide(), 1, 0, 0, [None, piece(np.zeros(3)), piece(b"")], [], None),
        ),
    ],
)
def test_arrow_arrays_that_lie_about_their_sizes_are_refused(name: str, data: Any, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(data(), protocol=5))
    findings, _ = guard.traced(path, arrays=False)
    with pytest.raises(LoadRefused, match="Arrow"):
        guard.load_pickle(path, Trust(pinned=findings.names))


def test_frames_with_texts_in_arrow_load_as_they_were(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    table = pd.DataFrame({"t": ["a", None, "ü"], "n": pd.array([1, None, 3], dtype="int64[pyarrow]")})
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(table[1:], protocol=5))
    findings, _ = guard.traced(path, arrays=False)
    pd.testing.assert_frame_equal(guard.load_pickle(path, Trust(pinned=findings.names)), table[1:])
