"""Secrets of tokens: their form, their checksum, and who is let in."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import tokens
from modelyard.domain.errors import InvalidInput, NotAuthenticated
from modelyard.domain.permissions import OWNER
from modelyard.domain.records import Actor
from modelyard.domain.tokens import NewToken, Token

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = tokens.write_secret(bytes(range(32)))


def a_token(**facts):
    given = {"token_id": "0" * 26, "name": "n", "owner": Actor(name="ann"), "grants": OWNER}
    given |= {"created_at": NOW, "created_by": "ann", "digest": tokens.digest_of(SECRET)}
    return Token(**(given | facts))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_every_32_bytes_have_a_secret_of_their_own_that_is_accepted(one, two):
    secrets = tokens.write_secret(one), tokens.write_secret(two)
    for secret in secrets:
        assert len(secret) == 52
        assert len(tokens.digest_of(secret)) == 64
    assert (secrets[0] == secrets[1]) == (one == two)


@given(st.integers(3, 51), st.sampled_from("09AZaz"))
def test_every_slip_of_one_character_is_told_without_a_look_up(place, character):
    slipped = SECRET[:place] + character + SECRET[place + 1 :]
    if slipped != SECRET:
        with pytest.raises(NotAuthenticated, match="slip"):
            tokens.digest_of(slipped)


@given(st.integers(3, 50))
def test_two_neighbours_that_changed_places_are_told(place):
    swapped = SECRET[:place] + SECRET[place + 1] + SECRET[place] + SECRET[place + 2 :]
    if swapped != SECRET:
        with pytest.raises(NotAuthenticated, match="slip"):
            tokens.digest_of(swapped)


@pytest.mark.parametrize(
    "text",
    [
        *("", "my_", SECRET[:-1], SECRET + "0", SECRET.replace("my_", "ghp_"), SECRET.upper()),
        *(SECRET[:10] + "é" + SECRET[11:], f"{SECRET}\n", f" {SECRET}", "x" * 100_000, "\ud800" * 52),
    ],
)
def test_what_is_no_token_is_refused_and_not_repeated(text):
    with pytest.raises(NotAuthenticated) as caught:
        tokens.digest_of(text)
    assert len(caught.value.detail) < 200
    assert len(text) < 5 or text.strip() not in caught.value.detail


def test_the_kept_digest_is_no_token():
    with pytest.raises(NotAuthenticated):
        tokens.digest_of(tokens.digest_of(SECRET))


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "valid"),
        ({"expires_at": NOW + HOUR}, "valid"),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW - HOUR}, "expired"),
        ({"revoked_at": NOW}, "revoked"),
        ({"revoked_at": NOW, "expires_at": NOW - HOUR}, "revoked"),
    ],
)
def test_only_a_valid_token_is_let_in(facts, state):
    token = a_token(**facts)
    assert token.state(NOW) == state
    if state == "valid":
        assert tokens.require_valid(token, token.digest, NOW) is token
    else:
        with pytest.raises(NotAuthenticated, match=state):
            tokens.require_valid(token, token.digest, NOW)


def test_an_unknown_token_is_unknown_whatever_was_found():
    for found in (None, a_token(digest="0" * 64), a_token(digest="0" * 64, revoked_at=NOW)):
        with pytest.raises(NotAuthenticated, match="no such token"):
            tokens.require_valid(found, tokens.digest_of(SECRET), NOW)


def test_a_new_token_does_not_print_its_secret():
    assert SECRET not in repr(NewToken(token=a_token(digest=""), secret=SECRET))


@pytest.mark.parametrize("name", ["nightly training", "é", "x" * 200])
def test_names_are_kept_as_they_are(name):
    assert tokens.check_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "x ", "x" * 201, "a\nb", "a\tb", "a\x00b", None])
def test_odd_names_are_refused(name):
    with pytest.raises(InvalidInput):
        tokens.check_name(name)


@pytest.mark.parametrize(("name", "kind"), [("", "user"), ("a ", "user"), ("a\x00", "user"), ("a", "admin")])
def test_odd_owners_are_refused(name, kind):
    with pytest.raises(InvalidInput):
        tokens.check_owner(Actor(name=name, kind=kind))


def test_a_person_or_a_program_owns_a_token():
    for owner in (Actor(name="ann"), Actor(name="trainer", kind="service")):
        assert tokens.check_owner(owner) is owner


def test_an_expiry_lies_in_the_future_and_has_a_zone():
    tokens.check_expiry(None, NOW)
    tokens.check_expiry(NOW + HOUR, NOW)
    for wrong in (NOW, NOW - HOUR, NOW + tokens.LONGEST + HOUR, datetime(2027, 1, 1)):  # noqa: DTZ001
        with pytest.raises(InvalidInput, match="expires_at"):
            tokens.check_expiry(wrong, NOW)
