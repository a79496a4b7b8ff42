"""Sessions as rules: when one counts, which place a login takes, what a secret looks like."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import sessions
from modelyard.domain.errors import NotAuthenticated
from modelyard.domain.permissions import Grant
from modelyard.domain.records import Actor
from modelyard.domain.sessions import PLACES, Session

T0 = datetime(2026, 3, 1, tzinfo=UTC)
SECRET = sessions.write_secret(bytes(range(32)))
DIGEST = sessions.digest_of(SECRET)
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def a_session(**fields):
    given = {
        "session_id": "p.0",
        "digest": DIGEST,
        "owner": Actor(name="ada"),
        "grants": (Grant(role="reader"),),
        "opened_at": T0,
        "used_at": T0,
        "ends_at": T0 + timedelta(hours=2),
        "idle_seconds": 3600,
    }
    return Session(**(given | fields))


def test_a_session_counts_until_its_end_while_it_is_used_and_not_ended():
    session = a_session()
    assert session.is_open(T0)
    assert session.is_open(T0 + timedelta(minutes=59))
    assert not session.is_open(T0 + timedelta(minutes=60))
    busy = replace(session, used_at=T0 + timedelta(minutes=110))
    assert busy.is_open(T0 + timedelta(minutes=119))
    assert not busy.is_open(T0 + timedelta(minutes=120))
    assert not replace(session, ended_at=T0).is_open(T0)


def test_a_secret_belongs_to_the_session_that_keeps_its_digest():
    assert sessions.require_open(a_session(), DIGEST, T0) == a_session()
    for found in (None, a_session(digest="0" * 64), a_session(challenge=CHALLENGE), a_session(ended_at=T0)):
        with pytest.raises(NotAuthenticated):
            sessions.require_open(found, DIGEST, T0)


def test_a_code_belongs_to_the_program_with_the_verifier():
    code = a_session(challenge=CHALLENGE)
    assert sessions.require_exchangeable(code, DIGEST, VERIFIER, T0) == code
    for found in (None, a_session(), replace(code, digest="0" * 64), replace(code, ended_at=T0)):
        with pytest.raises(NotAuthenticated, match="unknown"):
            sessions.require_exchangeable(found, DIGEST, VERIFIER, T0)
    for verifier in ("", "x" * 43, "ä" * 43):
        with pytest.raises(NotAuthenticated, match="another program"):
            sessions.require_exchangeable(code, DIGEST, verifier, T0)


def test_challenges_are_those_of_rfc_7636():
    """The example of its appendix B."""
    assert sessions.challenge_of(VERIFIER) == CHALLENGE
    assert sessions.challenge_of("short") == ""
    assert sessions.is_challenge(CHALLENGE)
    assert not sessions.is_challenge("")


@pytest.mark.parametrize("text", ["", "x", SECRET + "x", SECRET[:-1] + "=", SECRET[:-1] + "\n", "ä" * 43])
def test_what_is_no_secret_is_refused_without_being_repeated(text):
    with pytest.raises(NotAuthenticated) as caught:
        sessions.digest_of(text)
    assert SECRET[:10] not in caught.value.detail


@given(st.binary(min_size=32, max_size=32))
def test_every_32_bytes_make_a_secret_that_cookies_take(random):
    secret = sessions.write_secret(random)
    assert len(secret) == 43
    assert sessions.digest_of(secret) != secret


def test_a_person_is_the_provider_and_its_name_for_them_together():
    keys = {
        sessions.person_key(*pair)
        for pair in (("a", "b"), ("ab", ""), ("", "ab"), ("a", "c"), ("b", "b"), ('a","b', "c"))
    }
    assert len(keys) == 6
    assert all(len(sessions.place_id(key, PLACES - 1)) <= 64 for key in keys)


@given(st.lists(st.none() | st.tuples(st.integers(0, 100), st.booleans()), min_size=1, max_size=PLACES))
def test_a_login_takes_a_free_place_or_that_of_the_session_used_the_longest_ago(places):
    taken = [
        None
        if each is None
        else a_session(used_at=T0 + timedelta(seconds=each[0]), ended_at=T0 if each[1] else None)
        for each in places
    ]
    now = T0 + timedelta(minutes=5)
    place = sessions.place_to_take(taken, now)
    still_open = [each for each in taken if each is not None and each.is_open(now)]
    chosen = taken[place]
    if len(still_open) < len(taken):
        assert chosen is None or not chosen.is_open(now)
    else:
        assert chosen is not None
        assert chosen.used_at == min(each.used_at for each in still_open)


def test_the_words_differ_with_the_challenge_and_can_be_read_out():
    words = sessions.words_of(CHALLENGE)
    assert words != sessions.words_of(CHALLENGE[:-1])
    assert len(words) == 9
    assert words[4] == "-"
