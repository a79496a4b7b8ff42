"""Trees whose indices lead outside: the libraries would follow them out of their memory, so they never see them."""

from __future__ import annotations

import copyreg
import json
import pickle
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import LoadRefused
from modelyard.flavors import guard, lightgbm_file, xgboost_file
from modelyard.ports.flavors import Trust

xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed: pip install 'modelyard[xgboost]'")
lightgbm = pytest.importorskip(
    "lightgbm", reason="lightgbm is not installed: pip install 'modelyard[lightgbm]'"
)


@cache
def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(80, 3)), columns=["a", "b", "c"])
    return rows.assign(k=pd.Categorical(np.array(list("uvwx"))[np.arange(80) % 4]))


def target() -> Any:
    return frame()["b"] + np.arange(80) % 4


def xgb(**options: Any) -> Any:
    rows = frame() if options.get("enable_categorical") else frame()[["a", "b", "c"]]
    return xgboost.XGBRegressor(**{"n_estimators": 2, "n_jobs": 1, **options}).fit(rows, target())


def classes() -> Any:
    model = xgboost.XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1)
    return model.fit(frame()[["a", "b"]], np.arange(80) % 3)


def targets() -> Any:
    model = xgboost.XGBRegressor(n_estimators=2, max_depth=2, multi_strategy="multi_output_tree", n_jobs=1)
    return model.fit(frame()[["a", "b"]], frame()[["b", "c"]])


XGB: dict[str, Callable[[], Any]] = {
    "plain": xgb,
    "dart": lambda: xgb(booster="dart"),
    "linear": lambda: xgb(booster="gblinear"),
    "categories": lambda: xgb(enable_categorical=True, max_cat_to_onehot=1),
    "pruned": lambda: xgb(tree_method="exact", gamma=5),
    "by loss": lambda: xgb(grow_policy="lossguide", max_leaves=5, gamma=3),
    "quantiles": lambda: xgb(objective="reg:quantileerror", quantile_alpha=[0.1, 0.5]),
    "parallel": lambda: xgb(num_parallel_tree=3),
    "no split": lambda: xgb(gamma=1e9),
    "classes": classes,
    "targets": targets,
}


@cache
def xgb_file(name: str, form: str = "json") -> bytes:
    return bytes(XGB[name]().get_booster().save_raw(form))


@pytest.mark.parametrize("form", ["json", "ubj"])
@pytest.mark.parametrize("name", sorted(XGB))
def test_every_kind_of_xgboost_model_passes(name: str, form: str) -> None:
    xgboost_file.check(xgb_file(name, form), "model")


Change = Callable[[dict[str, Any]], Any]
"""What is done to a tree, or to the learner."""

TREES: dict[str, Change] = {
    "a child outside": lambda t: t["left_children"].__setitem__(0, 50_000_000),
    "a negative child": lambda t: t["right_children"].__setitem__(0, -7),
    "a circle": lambda t: t["left_children"].__setitem__(0, 0),
    "two parents": lambda t: t["right_children"].__setitem__(0, t["left_children"][0]),
    "a feature outside": lambda t: t["split_indices"].__setitem__(0, 99_999_999),
    "an array too short": lambda t: t["left_children"].pop(),
    "a fraction": lambda t: t["left_children"].__setitem__(0, 1.5),
    "a text": lambda t: t["left_children"].__setitem__(0, "1"),
    "a huge number": lambda t: t["left_children"].__setitem__(0, 10**30),
    "more nodes": lambda t: t["tree_param"].__setitem__("num_nodes", "1000000"),
    "no nodes": lambda t: t["tree_param"].__setitem__("num_nodes", "0"),
    "nodes in other digits": lambda t: t["tree_param"].__setitem__("num_nodes", "٣"),
    "wide leaves": lambda t: t["tree_param"].__setitem__("size_leaf_vector", "9"),
    "the root's parent": lambda t: t["parents"].__setitem__(0, 1000),
    "a false parent": lambda t: t["parents"].__setitem__(1, 2),
    "another id": lambda t: t.__setitem__("id", 3),
    "a kind of split": lambda t: t["split_type"].__setitem__(0, 7),
    "no categories": lambda t: t.update({key: [] for key in t if key.startswith("categories")}),
    "categories beyond": lambda t: t["categories_sizes"].__setitem__(0, 999),
    "a category too large": lambda t: t["categories"].__setitem__(0, 1 << 30),
    "lists that differ": lambda t: t["categories_sizes"].append(0),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TREES))
def test_a_damaged_tree_is_refused(name: str) -> None:
    model = json.loads(xgb_file("categories"))
    TREES[name](model["learner"]["gradient_booster"]["model"]["trees"][0])
    with pytest.raises(LoadRefused, match="damaged trees"):
        xgboost_file.check(json.dumps(model, separators=(",", ":")).encode(), "model")


LEARNERS: dict[str, tuple[str, Change]] = {
    "a tree for another output": (
        "plain",
        lambda x: x["gradient_booster"]["model"]["tree_info"].__setitem__(0, 4),
    ),
    "fewer trees": ("plain", lambda x: x["gradient_booster"]["model"]["trees"].pop()),
    "rounds": ("plain", lambda x: x["gradient_booster"]["model"]["iteration_indptr"].__setitem__(1, 99)),
    "rounds that fall": (
        "plain",
        lambda x: x["gradient_booster"]["model"]["iteration_indptr"].__setitem__(1, -1),
    ),
    "fewer features": ("plain", lambda x: x["learner_model_param"].__setitem__("num_feature", "1")),
    "endless outputs": ("plain", lambda x: x["learner_model_param"].__setitem__("num_target", "100000000")),
    "too many scores": ("plain", lambda x: x["learner_model_param"].__setitem__("base_score", "[1,2,3]")),
    "two counts of classes": (
        "classes",
        lambda x: x["objective"]["softmax_multiclass_param"].__setitem__("num_class", "9"),
    ),
    "weights of dart": ("dart", lambda x: x["gradient_booster"]["weight_drop"].pop()),
    "weights of a line": ("linear", lambda x: x["gradient_booster"]["model"]["weights"].pop()),
    "leaves of several values": (
        "targets",
        lambda x: x["gradient_booster"]["model"]["trees"][0]["right_children"].__setitem__(-1, 10**6),
    ),
    "seen categories": (
        "categories",
        lambda x: x["gradient_booster"]["model"]["cats"]["feature_segments"].__setitem__(-1, 9),
    ),
    "categories of other features": (
        "categories",
        lambda x: x["gradient_booster"]["model"]["cats"]["enc"].pop(),
    ),
    "texts of categories": (
        "categories",
        lambda x: x["gradient_booster"]["model"]["cats"]["enc"][3]["offsets"].__setitem__(-1, 10**6),
    ),
    "falling texts": (
        "categories",
        lambda x: x["gradient_booster"]["model"]["cats"]["enc"][3]["offsets"].__setitem__(1, 3),
    ),
    "order of categories": (
        "categories",
        lambda x: x["gradient_booster"]["model"]["cats"]["sorted_idx"].__setitem__(0, 10**6),
    ),
    "numbers as categories": (
        "categories",
        lambda x: x["gradient_booster"]["model"]["cats"]["enc"].__setitem__(3, {"values": [1]}),
    ),
}


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_a_damaged_model_is_refused(name: str) -> None:
    kind, change = LEARNERS[name]
    model = json.loads(xgb_file(kind))
    change(model["learner"])
    with pytest.raises(LoadRefused, match="damaged trees"):
        xgboost_file.check(json.dumps(model, separators=(",", ":")).encode(), "model")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"learner":{}}',
        b'{"learner":[]}',
        b'{"learner":',
        b'{"learner":1,"learner":2}',
        xgb_file("plain").replace(b'"num_feature":', b'"num_feature":"3","num_feature":', 1),
        b'{"a":' * 100_000,
        xgb_file("plain", "ubj")[:-1],
        xgb_file("plain", "ubj") + b"x",
    ],
)
def test_what_is_no_model_of_xgboost_is_refused(content: bytes) -> None:
    with pytest.raises(LoadRefused, match="model is not loaded"):
        xgboost_file.check(content, "model")


@given(where=st.integers(0, 10_000), what=st.binary(min_size=1, max_size=4))
def test_any_change_of_bytes_passes_or_is_refused_and_nothing_else(where: int, what: bytes) -> None:
    for content, check in (
        (xgb_file("categories", "ubj"), xgboost_file.check),
        (xgb_file("categories"), xgboost_file.check),
        (lgb_file("categories").encode(), lightgbm_file.check),
    ):
        at = where % len(content)
        try:
            check(content[:at] + what + content[at + len(what) :], "model")
        except LoadRefused:
            continue


def lgb(**options: Any) -> Any:
    rows = frame() if "min_data_per_group" in options else frame()[["a", "b", "c"]]
    settings = {"n_estimators": 3, "verbose": -1, "n_jobs": 1, "min_child_samples": 5, **options}
    return lightgbm.LGBMRegressor(**settings).fit(rows, pd.Series(target().to_numpy()))


def lgb_classes() -> Any:
    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1)
    return model.fit(frame()[["a", "b"]], np.arange(80) % 3)


LGB: dict[str, Callable[[], Any]] = {
    "plain": lgb,
    "categories": lambda: lgb(min_data_per_group=1, cat_smooth=0, cat_l2=0, max_cat_to_onehot=1),
    "linear": lambda: lgb(linear_tree=True),
    "dart": lambda: lgb(boosting_type="dart"),
    "forest": lambda: lgb(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5),
    "no split": lambda: lgb(min_child_samples=1000),
    "classes": lgb_classes,
}


@cache
def lgb_file(name: str) -> str:
    return str(LGB[name]().booster_.model_to_string())


@pytest.mark.parametrize("name", sorted(LGB))
def test_every_kind_of_lightgbm_model_passes(name: str) -> None:
    lightgbm_file.check(lgb_file(name).encode(), "model")


def test_a_lightgbm_model_without_trees_passes() -> None:
    text = lgb_file("plain")
    head = re.sub(r"tree_sizes=.*", "tree_sizes=", text.partition("\nTree=")[0])
    lightgbm_file.check((head + "\nend of trees\n").encode(), "model")


def changed(name: str, pattern: str, new: str) -> bytes:
    """The file with its first match replaced and the sizes of the trees told again, so that nothing else is wrong."""
    text = lgb_file(name)
    after, count = re.subn(pattern, new, text, count=1, flags=re.MULTILINE)
    assert count == 1
    assert after != text
    if "tree_sizes" in pattern:
        return after.encode()
    trees = re.split(r"(?=^Tree=)", after.partition("end of trees")[0], flags=re.MULTILINE)[1:]
    sizes = " ".join(str(len(tree.encode())) for tree in trees)
    return re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", after).encode()


@pytest.mark.parametrize(
    ("name", "pattern", "new"),
    [
        ("plain", r"split_feature=\d+", "split_feature=99999999"),
        ("plain", r"left_child=-?\d+", "left_child=0"),
        ("plain", r"left_child=-?\d+", "left_child=50000000"),
        ("plain", r"right_child=-?\d+", "right_child=-50000000"),
        ("plain", r"left_child=-?\d+", "left_child=1_0"),
        ("plain", r"left_child=-?\d+", "left_child=٣"),
        ("plain", r"left_child=-?\d+", "left_child=1\t2"),
        ("plain", r"left_child=-?\d+", f"left_child={10**30}"),
        ("plain", r"left_child=-?\d+", "left_child=1 1"),
        ("plain", r"leaf_value=\S+", "leaf_value="),
        ("plain", r"num_leaves=\d+", "num_leaves=999999"),
        ("plain", r"num_leaves=\d+", "num_leaves=-5"),
        ("plain", r"num_leaves=\d+", "num_leaves=0"),
        ("plain", r"num_leaves=(\d+)", r"num_leaves=\1\nnum_leaves =9"),
        ("plain", r"num_cat=0", "num_cat=3"),
        ("plain", r"decision_type=\d+", "decision_type=1"),
        ("plain", r"decision_type=\d+", "decision_type=99"),
        ("plain", r"num_class=1", "num_class=7"),
        ("plain", r"num_tree_per_iteration=1", "num_tree_per_iteration=0"),
        ("plain", r"max_feature_idx=2", "max_feature_idx=0"),
        ("plain", r"^objective=regression", "objective=x\rtree_sizes=1"),
        ("plain", r"tree_sizes=\d+", "tree_sizes=5"),
        ("plain", r"tree_sizes=.*", "tree_sizes="),
        ("plain", r"tree_sizes=", "tree_sizes=-3 "),
        ("plain", r"tree_sizes=.*\n", ""),
        ("classes", r"num_class:3", "num_class:9"),
        ("categories", r"cat_boundaries=0", "cat_boundaries=5"),
        ("categories", r"cat_boundaries=0 \d+", "cat_boundaries=0 99999"),
        ("categories", r"cat_threshold=\d+", "cat_threshold="),
        ("linear", r"is_linear=1\nleaf_const=\S+", "is_linear=1\nleaf_const="),
        ("linear", r"num_features=\d+", "num_features=99999999"),
        ("linear", r"leaf_features=", "leaf_features=77 "),
    ],
)
def test_a_damaged_lightgbm_tree_is_refused(name: str, pattern: str, new: str) -> None:
    with pytest.raises(LoadRefused, match="model is not loaded"):
        lightgbm_file.check(changed(name, pattern, new), "model")


@pytest.mark.parametrize(
    "content",
    [b"", b"tree\nversion=v4\n", b"tree\nversion=v4\n\xff\xfe\n", b"tree\nversion=v4\nmax_feature_idx=2\n"],
)
def test_what_is_no_model_of_lightgbm_is_refused(content: bytes) -> None:
    with pytest.raises(LoadRefused, match="not a model that lightgbm wrote"):
        lightgbm_file.check(content, "model")


def pickled(model: Any, change: Callable[[Any], Any], folder: Path) -> Path:
    """A pickled booster whose inside was changed."""
    state = model.__getstate__()
    key = "handle" if "handle" in state else "_handle"
    state[key] = change(state[key])
    path = folder / "model.pkl"

    class Changed:
        def __reduce__(self) -> Any:
            return copyreg._reconstructor, (type(model), object, None), state

    path.write_bytes(pickle.dumps(Changed(), protocol=5))
    return path


WIDTH = b"num_featureSL\0\0\0\0\0\0\0\x01"
"""What stands before the number of features: in the configuration, in the model and in each tree."""


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("xgb", lambda inside: inside.replace(WIDTH + b"3", WIDTH + b"1")),
        ("xgb", lambda inside: inside.replace(WIDTH + b"3", WIDTH + b"9", 1)),
        ("xgb", lambda inside: bytes(inside)[:-9]),
        ("xgb", lambda inside: "tree\n"),
        ("xgb", lambda inside: 12345678),
        ("lgb", lambda inside: re.sub(r"split_feature=\d+", "split_feature=9", inside)),
        ("lgb", lambda inside: bytearray(b"{}")),
        ("lgb", lambda inside: 12345678),
    ],
)  # fmt: skip
def test_a_booster_inside_a_pickle_is_looked_through_as_well(name: str, change: Any, tmp_path: Path) -> None:
    model = XGB["plain"]().get_booster() if name == "xgb" else LGB["plain"]().booster_
    honest = pickled(model, lambda inside: inside, tmp_path)
    trust = Trust(pinned=guard.traced(honest, arrays=False)[0].names)
    loaded = guard.load_pickle(honest, trust)
    assert type(loaded) is type(model)
    assert loaded.feature_names == ["a", "b", "c"] if name == "xgb" else loaded.num_trees() == 3
    with pytest.raises(LoadRefused):
        guard.load_pickle(pickled(model, change, tmp_path), trust)
    called = tmp_path / "called.pkl"
    called.write_bytes(pickle.dumps(Called(type(model), str(honest))))
    with pytest.raises(LoadRefused, match="calls Booster"):
        guard.load_pickle(called, trust)


class Called:
    """Pickles as a call of the class, which would open a file of its choice."""

    def __init__(self, cls: type, path: str):
        self.cls, self.path = cls, path

    def __reduce__(self) -> Any:
        return self.cls, (None, None, self.path)
