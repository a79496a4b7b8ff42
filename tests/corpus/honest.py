"""Builds honest models: what people really register, and what must be clean and load without asking anybody."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np

SKIPPED = frozenset(
    {"MultiTaskElasticNetCV", "MultiTaskLassoCV", "SpectralBiclustering", "SpectralCoclustering"}
)
"""Estimators that need other data than the toy set below."""


@cache
def toy() -> tuple[Any, Any, Any]:
    """(rows, y of two classes, y of numbers): 60 rows, 4 columns, all positive."""
    random = np.random.default_rng(7)
    rows = np.abs(random.normal(size=(60, 4))) + 0.1
    return rows, (rows[:, 0] > np.median(rows[:, 0])).astype(int), rows @ np.array([1.0, 2.0, 3.0, 4.0])


COMMON = frozenset(
    """
    AdaBoostClassifier AgglomerativeClustering BaggingClassifier BayesianRidge BernoulliNB Birch DBSCAN
    DecisionTreeClassifier DecisionTreeRegressor DummyClassifier ElasticNet ExtraTreeRegressor FactorAnalysis
    FastICA GaussianMixture GaussianNB HuberRegressor IsolationForest IsotonicRegression KBinsDiscretizer KMeans
    KNNImputer KNeighborsClassifier KNeighborsRegressor KernelDensity KernelPCA KernelRidge LabelBinarizer
    LabelEncoder Lasso LinearDiscriminantAnalysis LinearRegression LinearSVC LocalOutlierFactor LogisticRegression
    MinMaxScaler MultinomialNB NearestCentroid NearestNeighbors OneClassSVM OneHotEncoder OrdinalEncoder PCA
    PLSRegression PoissonRegressor PolynomialFeatures PowerTransformer QuantileTransformer Ridge RidgeClassifier
    RobustScaler SGDClassifier SGDRegressor SVC SVR SimpleImputer SplineTransformer StandardScaler TheilSenRegressor
    TruncatedSVD VarianceThreshold
    """.split()
)
"""Estimators that are looked at in every run; the others only in the long one."""


def estimators(only: frozenset[str] | None = None) -> Iterator[tuple[str, Any]]:
    """scikit-learn's estimators that can be built without arguments, fitted on the toy data."""
    from sklearn.utils import all_estimators

    rows, classes, numbers = toy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, cls in all_estimators():
            if name in SKIPPED or (only is not None and name not in only):
                continue
            for target in (classes, numbers, None):
                try:
                    yield name, cls().fit(rows, target)
                    break
                except Exception:  # wrong kind of target, or arguments needed: those are built by hand below
                    continue


def composed() -> dict[str, Callable[[], Any]]:
    """Pipelines, searches and ensembles as they are found in the wild."""
    return {
        "pipeline": _pipeline,
        "column_transformer": _columns,
        "grid_search": _grid,
        "text": _text,
        "stacking": _stacking,
        "voting": _voting,
        "select_k_best": _select,
        "function_transformer": _function,
        "chain": partial(_meta, "ClassifierChain", "sklearn.multioutput"),
        "one_vs_rest": partial(_meta, "OneVsRestClassifier", "sklearn.multiclass"),
        "calibrated": partial(_meta, "CalibratedClassifierCV", "sklearn.calibration"),
        "gaussian_process": _kernel,
        "random_state": _seeded,
        "unfitted": _unfitted,
    }


def objects() -> dict[str, Any]:
    """Arrays, frames, matrices and plain Python data."""
    import pandas as pd
    from scipy import interpolate, sparse, spatial

    frame = pd.DataFrame(
        {
            "n": [1, 2, 3],
            "t": ["a", "b", None],
            "c": pd.Categorical(["x", "y", "x"]),
            "d": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"]),
            "i": pd.array([1, None, 3], dtype="Int64"),
        }
    )
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    return {
        "frame": frame,
        "frame_indexed": frame.set_index(["n", "t"]),
        "series": frame["c"],
        "interval_index": pd.Index(pd.interval_range(0, 3)),
        "period": pd.period_range("2024-01", periods=3, freq="M"),
        "timedelta": pd.Series(pd.to_timedelta([1, 2], unit="h")),
        "csr": sparse.csr_matrix(np.eye(3)),
        "csc_array": sparse.csc_array(np.eye(3)),
        "coo": sparse.coo_matrix(np.eye(3)),
        "tree": spatial.cKDTree(np.eye(3)),
        "spline": interpolate.CubicSpline([0, 1, 2], [0, 1, 4]),
        "array": np.arange(12.0).reshape(3, 4),
        "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "big_endian": np.arange(3, dtype=">f4"),
        "strings": np.array(["a", "bcd"]),
        "bytes": np.array([b"a", b"bcd"]),
        "times": np.array(["2024-01-01"], dtype="datetime64[ns]"),
        "objects": np.array(["a", None, 3], dtype=object),
        "structured": np.array([(1, 2.0, "x")], dtype=[("a", "i4"), ("b", "f8", (2,)), ("c", "U3")]),
        "structured_objects": np.array([(1, "x")], dtype=[("a", "i4"), ("b", "O")]),
        "aligned": np.zeros(2, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        "masked": masked,
        "scalar": np.float32(1.5),
        "empty": np.zeros((0, 3)),
        "zero_d": np.array(3),
        "generator": np.random.default_rng(1),
        "random_state": np.random.RandomState(1),
        "dict": {
            "weights": [np.eye(2), np.eye(3)],
            "names": {"a", "b"},
            "n": 10**30,
            "f": 1.5,
            "b": b"x" * 300,
        },
        "nested": [(1, (2, (3, {"k": frozenset({1, 2})}))), range(3), slice(1, 2), complex(1, 2)],
    }


def _pipeline() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, y, _ = toy()
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, y)


def _columns() -> Any:
    import pandas as pd
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "x"]})
    return make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include=np.number)), (OneHotEncoder(), ["b"])
    ).fit(frame)


def _grid() -> Any:
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.svm import SVC

    rows, y, _ = toy()
    return GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=StratifiedKFold(2), scoring="accuracy").fit(rows, y)


def _text() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(), SGDClassifier()).fit(
        ["a good day", "a bad night"] * 5, [0, 1] * 5
    )


def _stacking() -> Any:
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor, StackingRegressor

    rows, _, y = toy()
    parts = [("rf", RandomForestRegressor(5)), ("gb", GradientBoostingRegressor(n_estimators=5))]
    return StackingRegressor(parts).fit(rows, y)


def _voting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
    from sklearn.neighbors import KNeighborsClassifier

    rows, y, _ = toy()
    return VotingClassifier(
        [("h", HistGradientBoostingClassifier(max_iter=5)), ("k", KNeighborsClassifier(algorithm="kd_tree"))]
    ).fit(rows, y)


def _select() -> Any:
    from sklearn.feature_selection import SelectKBest, mutual_info_classif

    rows, y, _ = toy()
    return SelectKBest(mutual_info_classif, k=2).fit(rows, y)


def _function() -> Any:
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(np.log1p, inverse_func=np.expm1).fit(toy()[0])


def _meta(cls: str, module: str) -> Any:
    import importlib

    from sklearn.linear_model import LogisticRegression

    rows, y, _ = toy()
    target = np.c_[y, 1 - y] if cls == "ClassifierChain" else y
    return getattr(importlib.import_module(module), cls)(LogisticRegression()).fit(rows, target)


def _kernel() -> Any:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel

    rows, _, y = toy()
    return GaussianProcessRegressor(1.0 * RBF() + WhiteKernel(), optimizer=None).fit(rows, y)


def _seeded() -> Any:
    from sklearn.neural_network import MLPClassifier

    rows, y, _ = toy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MLPClassifier((5,), max_iter=5, random_state=np.random.RandomState(3)).fit(rows, y)


def _unfitted() -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=0.5)
