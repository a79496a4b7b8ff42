"""Answers that are no problems of ours."""

import pytest

from modelyard.domain.errors import StorageError, Unreachable
from modelyard.wire.problems import raised


@pytest.mark.parametrize("told", [None, [], {}, {"detail": 7}, "<html>"])
def test_an_answer_that_says_nothing_is_a_matter_of_the_server(told):
    error = raised(told, status=404)
    assert isinstance(error, StorageError)
    assert not isinstance(error, Unreachable)
    assert "is it a modelyard server" in error.detail
