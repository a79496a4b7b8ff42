"""Addresses of servers, as people give them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelyard import InvalidConfig
from modelyard.wire.address import server_address

LONG = f"http://{'a' * 300}"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("https://models.example.org/team/", "https://models.example.org/team"),
        ("http://127.0.0.1:8000/api/v1/", "http://127.0.0.1:8000"),
        ("https://models.example.org/team/api/v1", "https://models.example.org/team"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_is_what_requests_begin_with(given, kept):
    assert server_address(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        *(
            "http://",
            "http:///x",
            "http://:80",
            "http://h:1:2",
            "http://h:99999",
            "http://h:0",
            "http://[::1",
        ),
        *(
            "http://h/?a=b",
            "http://h/#a",
            "http://h?",
            "http://h#",
            "http://h x",
            "http://a..b",
            "http://xn--",
            LONG,
            "http://h\n",
            "http://h\u202e",
            "no address",
        ),
    ],
)
def test_anything_else_is_refused_with_an_example(given):
    with pytest.raises(InvalidConfig, match="expected for example http"):
        server_address(given)


@pytest.mark.parametrize(
    "user", ["ann:s3cret", "s3cret", "ann:s3c@ret", ":s3cret", "ann:s3c/ret", "ann:12/s3c"]
)
def test_a_user_or_password_is_refused_without_being_shown(user):
    with pytest.raises(InvalidConfig, match=r"http://\.\.\.@h:1; leave them out") as refused:
        server_address(f"http://{user}@h:1/x")
    assert "s3c" not in str(refused.value)


@given(st.text())
@example("//@")
@example("http://\u2100")
def test_every_text_is_an_address_or_refused(text):
    for each in (text, f"http://{text}"):
        try:
            kept = server_address(each)
        except InvalidConfig:
            continue
        assert server_address(kept) == kept or "/api/v1" in kept
