"""Hypothesis strategies for signatures: every legal one, and those that MLflow has words for."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from modelyard.domain.signature import TYPES, Field, Param, Signature

NAMES: Final = ("age", "Age", "city", "x", "y", "l'été", "模型", "a b", "0", "$type")
SIMPLE: Final = tuple(sorted(set(TYPES) - {"object", "map"}))
MLFLOW: Final = (
    "boolean",
    "int32",
    "int64",
    "float32",
    "float64",
    "string",
    "binary",
    "datetime",
    "any",
)
"""Types of MLflow's columns."""
TENSORS: Final = (*MLFLOW, "int8", "uint64", "float16", "complex128", "duration")
"""Types of its tensors, some of them."""


@cache
def shapes(*, rows: bool = True) -> st.SearchStrategy[tuple[int, ...] | None]:
    """Shapes of few axes; ``rows`` puts a free one in front of some."""
    free = st.lists(st.sampled_from((-1, -1, 0, 1, 3)), max_size=3).map(tuple)
    return st.none() | (free.map(lambda axes: (-1, *axes)) if rows else free) | free


@cache
def field_lists(depth: int = 2, *, inside: bool = False) -> st.SearchStrategy[tuple[Field, ...]]:
    """Fields with unlike names, in any order; outside of objects one may have no name."""
    named = st.lists(st.sampled_from(NAMES), unique=True, min_size=int(inside), max_size=4).flatmap(
        lambda names: st.tuples(*(fields(name, depth) for name in names))
    )
    return named if inside else named | st.tuples(fields("", depth))


@cache
def fields(name: str, depth: int) -> st.SearchStrategy[Field]:
    """One field of any type; ``depth`` levels may lie inside it."""
    shape = shapes()
    simple = st.builds(
        Field, name=st.just(name), type=st.sampled_from(SIMPLE), shape=shape, optional=st.booleans()
    )
    if not depth:
        return simple
    whole: dict[str, Any] = {"name": st.just(name), "shape": shape, "optional": st.booleans()}
    nested = st.builds(
        Field, type=st.just("object"), fields=field_lists(depth - 1, inside=True), **whole
    ) | st.builds(Field, type=st.just("map"), fields=st.tuples(fields("", depth - 1)), **whole)
    return simple | simple | nested


@cache
def params() -> st.SearchStrategy[tuple[Param, ...]]:
    """Params with unlike names."""
    default = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.just("x")
    return st.lists(st.sampled_from(NAMES), unique=True, max_size=3).flatmap(
        lambda names: st.tuples(
            *(
                st.builds(
                    Param,
                    name=st.just(name),
                    type=st.sampled_from(MLFLOW),
                    default=default,
                    shape=st.sampled_from((None, (-1,))),
                )
                for name in names
            )
        )
    )


@cache
def signatures() -> st.SearchStrategy[Signature]:
    """Every legal signature that is not too large."""
    part = st.none() | field_lists()
    return st.tuples(part, part, params()).filter(any_part).map(made)


def any_part(parts: tuple[Any, ...]) -> bool:
    """Whether anything is described."""
    return parts[0] is not None or parts[1] is not None or bool(parts[2])


def made(parts: tuple[Any, ...]) -> Signature:
    """Inputs, outputs and params as a signature."""
    return Signature(inputs=parts[0], outputs=parts[1], params=parts[2])


# --- what MLflow can say ------------------------------------------------------------------------------------


@cache
def mlflow_signatures() -> st.SearchStrategy[Signature]:
    """Signatures that MLflow can say exactly: parts of columns, or of tensors."""
    part = st.none() | columns() | tensors()
    return st.tuples(part, part, params()).filter(any_part).map(made)


@cache
def columns() -> st.SearchStrategy[tuple[Field, ...]]:
    """Columns, the first without shape, which is what tells them from tensors; named, or a single one without name."""
    named = st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=4)
    return (named | st.just([""])).flatmap(
        lambda names: st.tuples(
            *(_column(name, plain=index == 0, depth=2) for index, name in enumerate(names))
        )
    )


def _column(name: str, *, plain: bool, depth: int, inside: bool = False) -> st.SearchStrategy[Field]:
    lists = st.integers(1 if inside else 2, 3).map(lambda axes: (-1,) * axes)
    whole: dict[str, Any] = {
        "name": st.just(name),
        "shape": st.none() if plain else st.none() | lists,
        "optional": st.booleans() if name else st.just(False),
    }
    simple = st.builds(Field, type=st.sampled_from(MLFLOW), **whole)
    if not depth:
        return simple
    parts = st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=2).flatmap(
        lambda names: st.tuples(
            *(_column(inner, plain=False, depth=depth - 1, inside=True) for inner in names)
        )
    )
    values = st.tuples(_column("", plain=False, depth=depth - 1, inside=True))
    return (
        simple
        | st.builds(Field, type=st.just("object"), fields=parts, **whole)
        | st.builds(Field, type=st.just("map"), fields=values, **whole)
    )


@cache
def tensors() -> st.SearchStrategy[tuple[Field, ...]]:
    """Tensors: with a shape, and never optional."""
    named = st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=4)
    shape = st.lists(st.sampled_from((-1, 0, 1, 28)), max_size=3).map(tuple)
    return (named | st.just([""])).flatmap(
        lambda names: st.tuples(
            *(
                st.builds(Field, name=st.just(name), type=st.sampled_from(TENSORS), shape=shape)
                for name in names
            )
        )
    )
