"""Answers that are no problems of ours."""

import pytest

from modelyard.domain.errors import StorageError, Unreachable
from modelyard.wire.problems import raised


@pytest.mark.parametrize("told", [None, [], {}, {"detail": 7}, "<html>"])
def test_an_answer_that_says_nothing_is_a_matter_of_the_server(told):
    error = raised(told, status=404)
    assert isinstance(error, StorageError)
    assert not isinstance(error, Unreachable)
    assert "404 (Not Found)" in error.detail
    assert "no modelyard server" in error.detail


def test_an_answer_with_a_number_of_its_own_is_told_by_it():
    assert "was 799, without a reason" in raised(None, status=799).detail
