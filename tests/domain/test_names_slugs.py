"""Slugs: ASCII keys derived once from names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.names import is_id, is_slug_of, make_slug
from modelyard.domain.slugs import RESERVED, SLUG_LENGTH
from modelyard.testing import strategies

SLUG = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


def free(slug: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("fraud", "fraud"), ("Fraud Detection (EU)", "fraud-detection-eu"), ("Café", "cafe"), ("Straße",
        "strasse"),
        ("a._b", "a-b"), ("a.b_c-d", "a.b_c-d"), ("模型 v2", "v2"), ("Team A/Fraud", "team-a/fraud"), ("'x'",
        "x"),
        ("api", "api-2"), ("Models/api", "models-2/api-2"), ("image", "image-2"),
    ],
)  # fmt: skip
def test_slugs_keep_what_is_readable(name: str, slug: str) -> None:
    assert make_slug(name, free) == slug


def test_a_name_of_another_alphabet_gets_eight_hex_digits() -> None:
    assert re.fullmatch(r"m-[0-9a-f]{8}", make_slug("模型", free))
    assert make_slug("模型", free) == make_slug("模型", free) != make_slug("数据", free)


def test_a_slug_never_looks_like_an_id() -> None:
    assert not is_id(make_slug("(01j9zx4m8n2p6q7r5s3t1v0w9y)", free))


def test_a_thousand_equal_slugs_stay_distinct_and_cheap() -> None:
    taken: set[str] = set()
    questions = 0

    def is_taken(slug: str) -> bool:
        nonlocal questions
        questions += 1
        return slug in taken

    for number in range(1000):
        slug = make_slug(f"fraud {'(' * (number + 1)}", is_taken)
        assert slug not in taken
        taken.add(slug)
    assert questions < 11_000


def test_the_same_name_again_always_finds_another_slug() -> None:
    taken: set[str] = set()
    for _ in range(30):
        slug = make_slug("x" * 200, taken.__contains__)
        assert slug not in taken
        assert len(slug) <= SLUG_LENGTH
        taken.add(slug)


@given(strategies.model_names(), st.sets(st.sampled_from(("fraud", "fraud-2", "churn-v2", "r-d-eu"))))
def test_every_name_has_a_free_slug_of_the_right_form(name: str, taken: set[str]) -> None:
    slug = make_slug(name, taken.__contains__)
    assert slug not in taken
    assert slug.count("/") == name.count("/")
    for part in slug.split("/"):
        assert SLUG.fullmatch(part)
        assert len(part) <= SLUG_LENGTH
        assert part not in RESERVED


@given(strategies.model_names(), st.sets(st.integers(0, 30)))
def test_a_slug_that_was_given_is_recognised(name: str, others: set[int]) -> None:
    asked: list[str] = []

    def taken(slug: str) -> bool:
        asked.append(slug)
        return len(asked) - 1 in others

    assert is_slug_of(name, make_slug(name, taken))


@pytest.mark.parametrize(
    "slug", ["", "api", "other", "fraud-10", "fraud-", "x/fraud", "FRAUD", "fraud-00000000"]
)
def test_a_slug_that_a_name_never_gets_is_not(slug: str) -> None:
    assert not is_slug_of("fraud", slug)
