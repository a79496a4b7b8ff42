"""Tokens as programs come by them: from files with a line break at the end, and not at all."""

import pytest

from modelyard.domain.errors import NotAuthenticated
from modelyard.remote.transport import Transport

URL = "http://127.0.0.1:1"


def test_white_space_around_a_token_is_left_out():
    assert Transport(URL, " my_abc\n").headers["Authorization"] == "Bearer my_abc"


@pytest.mark.parametrize("token", [None, "", " \n"])
def test_no_token_is_no_header(token):
    assert "Authorization" not in Transport(URL, token).headers


@pytest.mark.parametrize("token", ["my_a\nb", "my_\u00e9", "my_\x00"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token):
    with pytest.raises(NotAuthenticated, match="copied whole") as refused:
        Transport(URL, token)
    assert "my_" not in str(refused.value)
