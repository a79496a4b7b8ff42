"""Does the recorded commit tell which code made a version?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.code_state import doubt

COMMIT = "65e8c82388124bad693fb65548cd2d3b97c477cb"


def test_a_clean_commit_leaves_no_doubt() -> None:
    assert doubt({"git": {"commit": COMMIT, "branch": None, "dirty": False, "remote": None}}) == ""


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        ({}, "no git work tree"),
        ({"git": None}, "no git work tree"),
        ({"git": "clean"}, "no git work tree"),
        ({"git": {"unknown": "git is gone\n"}}, r"could not be asked: git is gone\n"),
        ({"git": {"commit": None, "dirty": False}}, "no commit yet"),
        ({"git": {"commit": 7, "dirty": False}}, "no commit yet"),
        ({"git": {"commit": COMMIT, "dirty": True}}, "tracked files differ from commit 65e8c8238812"),
        ({"git": {"commit": COMMIT}}, "tracked files differ"),
    ],
)
def test_everything_else_does(recorded: dict[str, Any], reason: str) -> None:
    assert reason in doubt(recorded)


@given(
    st.dictionaries(st.sampled_from(["commit", "dirty", "unknown"]), st.none() | st.text() | st.booleans())
)
def test_no_doubt_means_a_commit_and_a_clean_tree(state: dict[str, Any]) -> None:
    if not doubt({"git": state}):
        assert (isinstance(state["commit"], str), state["dirty"]) == (True, False)
