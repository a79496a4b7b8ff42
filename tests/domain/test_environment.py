"""Declared environments: compared without ever failing, printed without ever lying."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import environment
from modelyard.domain.environment import Mismatch, differences
from modelyard.domain.environment_report import EnvironmentReport
from modelyard.domain.errors import InvalidInput, NotFound

MADE: dict[str, Any] = {
    "python": "3.11.7",
    "implementation": "cpython",
    "platform": "linux-x86_64",
    "host": "build-3",
    "packages": {"scikit-learn": "1.5.2", "numpy": "1.26.4"},
    "dependencies": {"scipy": "1.14.0"},
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
VERSIONS = st.from_regex(r"[0-3]\.[0-3](\.[0-3])?", fullmatch=True)
ENVIRONMENTS = st.fixed_dictionaries(
    {"python": VERSIONS, "packages": st.dictionaries(st.sampled_from(["numpy", "scipy", "torch"]), VERSIONS)}
)


def report(**declared: Any) -> EnvironmentReport:
    return EnvironmentReport(name="Team A/Fraud", version="1.0.0", slug="team-a/fraud", declared=declared)


@pytest.mark.parametrize(
    ("declared", "found", "level"),
    [
        ("1.26.4", "1.26.5", "minor"),
        ("1.26.4", "1.27", "minor"),
        ("1.26.4", "2.0.0", "major"),
        ("2.0.0", "1.26.4", "major"),
        ("0.4.1", "0.4.9", "minor"),
        ("0.4.1", "0.5.0", "major"),
        ("0.4", "1.4", "major"),
        ("2.3.0+cu121", "2.3.0", "minor"),
        ("1!2.0", "2.0", "major"),
        ("1.0rc1", "1.0", "minor"),
        ("v1.0", "1.1", "minor"),
        ("2024b", "2025a", "major"),
        ("unknown", "1.0", "major"),
        ("unknown", "odd", "major"),
        ("9" * 300, "1.0", "major"),
        ("1.0", "", "missing"),
    ],
)
def test_what_a_difference_of_a_package_means(declared: str, found: str, level: str) -> None:
    there = {"packages": {"numpy": found}} if found else {}
    (mismatch,) = differences({"packages": {"numpy": declared}}, there)
    assert mismatch == Mismatch(subject="numpy", declared=declared, found=found, level=level)


def test_the_interpreter_is_compared_too_and_the_machine_has_no_order() -> None:
    here = {**MADE, "python": "4.0.0", "implementation": "pypy", "platform": "darwin-arm64", "host": "laptop"}
    assert [(m.subject, m.level) for m in differences(MADE, here)] == [
        ("python", "major"),
        ("implementation", "major"),
        ("platform", "other"),
    ]
    assert [m.level for m in differences(MADE, {**MADE, "python": "3.12.0"})] == ["minor"]


def test_a_package_called_like_the_machine_is_still_a_package() -> None:
    (mismatch,) = differences({"packages": {"platform": "1.0"}}, {"packages": {"platform": "2.0"}})
    assert mismatch.level == "major"


def test_a_difference_is_one_line_whatever_was_recorded() -> None:
    (mismatch,) = differences({"packages": {"a\nb": "1\x1b[2J"}}, {})
    assert str(mismatch) == "a\\nb: made with 1\\x1b[2J, here not installed"


@given(ENVIRONMENTS)
def test_nothing_differs_from_itself(made: dict[str, Any]) -> None:
    assert differences(made, made) == ()
    assert environment.changes(made, made) == ()


@given(ENVIRONMENTS, ENVIRONMENTS)
def test_a_major_difference_is_one_in_both_directions(a: dict[str, Any], b: dict[str, Any]) -> None:
    both = a["packages"].keys() & b["packages"].keys() | {"python"}
    there, back = (
        {m.subject: m.level for m in found if m.subject in both}
        for found in (differences(a, b), differences(b, a))
    )
    assert there == back


@given(ANYTHING, ANYTHING)
def test_comparing_never_fails_whatever_was_recorded(a: Any, b: Any) -> None:
    declared = {"python": a, "packages": b}
    for mismatch in differences(declared, {"packages": a}):
        assert mismatch.level in ("minor", "major", "missing")
    assert isinstance(environment.changes(declared, MADE), tuple)


def test_what_one_version_was_made_with_and_another_was_not() -> None:
    newer = {**MADE, "python": "3.12.1", "packages": {"scikit-learn": "1.6.0"}}
    assert environment.changes(MADE, newer) == (
        "python: 3.12.1 instead of 3.11.7",
        "numpy: nothing instead of 1.26.4",
        "scikit-learn: 1.6.0 instead of 1.5.2",
    )
    assert environment.changes(MADE, {}) == environment.changes({}, MADE) == ()


def test_only_what_is_severe_is_warned_of() -> None:
    found = differences(MADE, {**MADE, "python": "3.12.0", "packages": {"numpy": "2.0"}})
    told = EnvironmentReport(name="fraud", version="1.0.0", slug="fraud", declared=MADE, differences=found)
    assert [m.subject for m in told.differences] == ["python", "numpy", "scikit-learn"]
    assert [m.subject for m in told.severe] == ["numpy", "scikit-learn"]


# --- files ---


def test_a_requirements_file_pins_everything_that_was_recorded() -> None:
    assert report(**MADE).to_requirements() == (
        "# Team A/Fraud:1.0.0 was made with cpython 3.11.7 on linux-x86_64.\n"
        "numpy==1.26.4\nscikit-learn==1.5.2\n"
        "# What these need in turn:\nscipy==1.14.0\n"
    )


def test_a_conda_file_takes_the_interpreter_from_conda_and_the_packages_from_pypi() -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(report(**MADE).to_conda()) == {
        "name": "team-a-fraud",
        "channels": ["conda-forge"],
        "dependencies": [
            "python=3.11.7",
            "pip",
            {"pip": ["numpy==1.26.4", "scikit-learn==1.5.2", "scipy==1.14.0"]},
        ],
    }


def test_an_interpreter_alone_is_an_environment_too() -> None:
    assert report(python="3.11.7").to_requirements() == (
        "# Team A/Fraud:1.0.0 was made with unknown 3.11.7 on unknown.\n"
    )
    assert "pip" not in report(python="3.11.7").to_conda()


@pytest.mark.parametrize("declared", [{}, {"python": None}, {"python": 3}, {"packages": {"numpy": "1.0"}}])
def test_what_was_not_recorded_is_not_printed(declared: dict[str, Any]) -> None:
    assert not environment.is_known(declared)
    for write in (report(**declared).to_requirements, report(**declared).to_conda):
        with pytest.raises(NotFound, match="has no recorded environment"):
            write()


@pytest.mark.parametrize(
    "declared",
    [
        {"packages": {"numpy\n--index-url http://evil": "1.0"}},
        {"packages": {"--index-url": "1.0"}},
        {"packages": {"numpy": "1.0\nevil"}},
        {"packages": {"numpy": "1.0 ; python_version < '3'"}},
        {"packages": {"numpy": ""}},
        {"packages": {"numpy": None, "ok": {"a": 1}}},
        {"packages": {"nümpy": "1.0"}},
        {"dependencies": {"numpy @ http://evil/x.whl": "1.0"}},
        {"python": "3.11\n  - evil"},
        {"platform": "linux\nevil==1.0"},
    ],
)
def test_nothing_is_printed_that_an_installer_could_misread(declared: dict[str, Any]) -> None:
    made = report(**{**MADE, **declared})
    with pytest.raises(InvalidInput, match="nothing was written"):
        made.to_requirements()
    with pytest.raises(InvalidInput, match="nothing was written"):
        made.to_conda()


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3))
def test_every_line_of_a_requirements_file_is_a_pin_or_a_comment(found: dict[str, str]) -> None:
    try:
        text = report(python="3.11", packages=found).to_requirements()
    except InvalidInput:
        return
    lines = text.split("\n")
    assert (lines[0][0], lines[-1], len(lines)) == ("#", "", 2 + len(found))
    assert all(line.count("==") == 1 and line.isascii() and " " not in line for line in lines[1:-1])
