"""Parameters as strict JSON and back."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import LoadRefused
from modelyard.flavors import plain

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10)
KEYS = st.text(max_size=5) | st.integers() | st.booleans()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)


def types_of(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value), [types_of(item) for item in value]
    if isinstance(value, dict):
        return dict, [(types_of(key), types_of(item)) for key, item in value.items()]
    return type(value)


@given(value=VALUES)
def test_what_is_encoded_comes_back_equal_and_of_the_same_types_through_strict_json(value: Any) -> None:
    if not plain.is_plain(value):  # deeper than anybody's parameters
        return
    text = json.dumps(plain.encode(value), allow_nan=False)
    back = plain.decode(json.loads(text))
    assert (back, types_of(back)) == (value, types_of(value))


def test_not_a_number_and_the_infinite_come_back() -> None:
    back = plain.decode(json.loads(json.dumps(plain.encode([math.nan, math.inf, -math.inf]))))
    assert math.isnan(back[0])
    assert back[1:] == [math.inf, -math.inf]


def test_scalars_of_numpy_become_those_of_python() -> None:
    assert types_of(plain.decode(plain.encode((np.int64(3), np.float32(0.5), np.bool_(True))))) == (
        tuple,
        [int, float, bool],
    )


@pytest.mark.parametrize(
    "value", [print, np.eye(2), object(), {"a": [len]}, {1, 2}, np.random.RandomState(0)]
)
def test_functions_arrays_and_other_objects_are_not_plain(value: Any) -> None:
    assert not plain.is_plain(value)
    with pytest.raises(plain.NotPlain):
        plain.encode(value)


@pytest.mark.parametrize(
    "value", [{"$float": "x"}, {"$tuple": 3}, {"$dict": [[1, 2, 3]]}, {"$dict": [[[1], 2]]}]
)
def test_damaged_parameters_are_refused(value: Any) -> None:
    with pytest.raises(LoadRefused, match="damaged"):
        plain.decode(value)
