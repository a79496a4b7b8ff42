"""Classes whose methods are written late behave as the standard library's, which is asked beside them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.dataclass import dataclass


class Body:
    """Fields of every kind; decorated twice below."""

    first: int
    second: str = "two"
    third: Mapping[str, int] = field(default_factory=dict)
    unseen: int = field(default=0, repr=False, compare=False)
    counted: int = field(default=7, init=False)
    made: tuple[int, ...] = field(default_factory=tuple, init=False)


def _body() -> dict[str, Any]:
    """A fresh copy: a decorator takes the fields out of the body that it decorates."""
    kept = {name: copy.copy(value) for name, value in FIELDS.items()}
    return {"__annotations__": Body.__annotations__, "__doc__": "Fields.", "__module__": __name__, **kept}


FIELDS = {name: value for name, value in vars(Body).items() if name in Body.__annotations__}


def _new() -> Any:
    """A class of these fields that has no instance yet."""
    return dataclass(frozen=True, slots=True, kw_only=True)(type("Pair", (), _body()))


LATE = _new()
STANDARD: Any = dataclasses.dataclass(frozen=True, slots=True, kw_only=True)(type("Pair", (), _body()))

VALUES = st.fixed_dictionaries(
    {"first": st.integers()},
    optional={
        "second": st.text(),
        "third": st.dictionaries(st.text(), st.integers()),
        "unseen": st.integers(),
    },
)


@dataclass(frozen=True, slots=True)
class Point:
    """By position; refuses what lies below."""

    x: float
    y: float = 0.0

    def __post_init__(self) -> None:
        if self.y < 0:
            raise ValueError("below")


@dataclass(slots=True)
class Count:
    """One that changes."""

    value: int = 0


@dataclass(frozen=True, slots=True)
class Nothing:
    """No field at all."""


@given(VALUES)
def test_an_instance_has_the_fields_and_the_words_that_the_standard_decorator_gives(values: Any) -> None:
    late, standard = LATE(**values), STANDARD(**values)
    assert repr(late) == repr(standard)
    assert dataclasses.asdict(late) == dataclasses.asdict(standard)
    assert late.unseen == standard.unseen


@given(VALUES)
def test_the_first_instance_of_a_class_is_as_every_later_one(values: Any) -> None:
    new = _new()
    one, two = new(**values), new(**values)
    assert repr(one) == repr(two) == repr(STANDARD(**values))
    assert one == two
    assert (one.third is two.third) is ("third" in values)


def test_the_first_instance_of_a_class_is_checked_like_every_later_one() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Positive:
        """Refuses what lies below."""

        x: int

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("below")

    for _ in range(2):
        with pytest.raises(ValueError, match="below"):
            Positive(x=-1)


@given(VALUES, VALUES)
def test_two_are_equal_when_the_standard_decorator_says_so(one: Any, other: Any) -> None:
    assert (LATE(**one) == LATE(**other)) is (STANDARD(**one) == STANDARD(**other))
    assert LATE(**one) == LATE(**one)
    assert LATE(**one) != STANDARD(**one)


def test_a_value_that_differs_from_itself_makes_no_difference() -> None:
    nan = float("nan")
    assert Point(nan) == Point(nan)
    assert Point(nan) != Point(float("nan"))


def test_equal_ones_have_one_hash_and_what_holds_a_dict_has_none() -> None:
    assert len({Point(1.0), Point(1.0, 0.0), Point(2.0)}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(LATE(first=1))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Count())


@pytest.mark.parametrize("values", [{}, {"first": 1, "strange": 2}, {"first": 1, "counted": 2}])
def test_wrong_arguments_are_refused_in_the_same_words(values: dict[str, int]) -> None:
    with pytest.raises(TypeError) as standard:
        STANDARD(**values)
    new = _new()
    for _ in ("its first instance", "a later one"):
        with pytest.raises(TypeError) as late:
            new(**values)
        assert str(late.value) == str(standard.value)
    with pytest.raises(TypeError, match="positional"):
        LATE(1)


def test_nothing_can_be_assigned_or_deleted_in_a_frozen_one() -> None:
    point = Point(1.0)
    with pytest.raises(FrozenInstanceError, match="'x'"):
        point.x = 2.0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="'x'"):
        del point.x
    assert point == Point(1.0)


def test_one_that_is_not_frozen_can_be_changed() -> None:
    count = Count()
    count.value += 1
    assert count == Count(1)


def test_what_has_no_place_cannot_be_added() -> None:
    with pytest.raises(AttributeError):
        Count().other = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("one", [Point(1.0, 2.0), Count(3), Nothing()])
def test_one_that_was_pickled_or_copied_is_the_same(one: object) -> None:
    assert pickle.loads(pickle.dumps(one)) == one
    assert copy.deepcopy(one) == one
    assert copy.copy(one) == one


def test_one_replaced_in_part_is_checked_again() -> None:
    assert dataclasses.replace(Point(1.0, 2.0), x=3.0) == Point(3.0, 2.0)
    with pytest.raises(ValueError, match="below"):
        dataclasses.replace(Point(1.0), y=-1.0)


def test_patterns_match_what_is_given_by_position() -> None:
    match Point(1.0, 2.0):
        case Point(x, y):
            assert (x, y) == (1.0, 2.0)


def test_methods_that_a_class_has_stay_its_own() -> None:
    @dataclass(frozen=True, slots=True)
    class Told:
        """Says something else than its fields."""

        secret: str

        def __repr__(self) -> str:
            return "Told(***)"

    assert repr(Told("x")) == "Told(***)"


def test_no_method_is_written_before_it_is_needed() -> None:
    @dataclass(frozen=True, slots=True)
    class New:
        """Never used before."""

        x: int

    one = New(x=1)
    assert _names(New) == set()
    assert New(x=1) is not one
    assert _names(New) == {"__init__"}
    assert one == New(1)
    assert repr(one).endswith("New(x=1)")
    assert hash(one) == hash(New(1))
    assert _names(New) == {"__init__", "__eq__", "__repr__", "__hash__"}


def _names(cls: type) -> set[str]:
    """Which methods of a class are written."""
    methods = (cls.__init__, cls.__repr__, cls.__eq__, cls.__hash__)  # type: ignore[misc]
    behind = {getattr(method, "__wrapped__", method).__code__.co_name for method in methods}
    return {name for name in behind if name.startswith("__")}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"self": "int"}, "cannot be called 'self'"),
        ({"_put_x": "int"}, "cannot be called '_put_x'"),
        ({"x": "dataclasses.InitVar[int]"}, "InitVar"),
        ({"x": dataclasses.InitVar[int]}, "InitVar"),
    ],
)
def test_what_the_written_constructor_cannot_do_is_refused_at_once(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        dataclass(frozen=True, slots=True)(type("Odd", (), {"__annotations__": fields}))


def test_a_field_without_a_default_is_an_argument_before_those_that_have_one() -> None:
    late: Any = {"__annotations__": {"x": "int", "y": "int"}}
    with pytest.raises(TypeError, match="stands behind one that has"):
        dataclass(frozen=True, slots=True)(type("Odd", (), {**late, "x": 1}))
    with pytest.raises(TypeError, match="no argument and has no default"):
        dataclass(frozen=True, slots=True)(type("Odd", (), {**late, "x": field(init=False)}))


def test_one_that_compares_in_its_own_way_can_still_be_hashed_as_with_the_standard_decorator() -> None:
    def same(self: Any, other: Any) -> bool:
        return bool(self.x == other.x)

    body = {"__annotations__": {"x": "int"}, "__eq__": same}
    late: Any = dataclass(frozen=True, slots=True)(type("Own", (), dict(body)))
    standard: Any = dataclasses.dataclass(frozen=True, slots=True)(type("Own", (), dict(body)))
    assert hash(late(3)) == hash(standard(3))


def test_a_constructor_that_somebody_wrapped_stays_wrapped() -> None:
    wrapped: Any = dataclass(frozen=True, slots=True)(type("Wrapped", (), {"__annotations__": {"x": "int"}}))
    plain, calls = wrapped.__init__, []

    def counting(self: Any, x: int) -> None:
        calls.append(x)
        plain(self, x)

    wrapped.__init__ = counting
    assert [wrapped(1).x, wrapped(2).x, wrapped(3).x] == calls
