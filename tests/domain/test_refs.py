"""References: one grammar, read and written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidRef
from modelyard.domain.refs import Ref, is_id, parse
from modelyard.testing import strategies

ULID = "01j9zx4m8n2p6q7r5s3t1v0w9y"
HEX = "ab" * 32
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (ULID, Ref("id", value=ULID)),
        (ULID.upper(), Ref("id", value=ULID)),
        ("fraud", Ref("latest", "fraud")),
        ("fraud@latest", Ref("latest", "fraud")),
        ("fraud@Latest", Ref("latest", "fraud")),
        ("Fraud Detection (EU)", Ref("latest", "Fraud Detection (EU)")),
        ("team a/fraud", Ref("latest", "team a/fraud")),
        ("cafe\u0301", Ref("latest", "caf\u00e9")),
        ("fraud:1.4.0", Ref("label", "fraud", "1.4.0")),
        ("fraud:v1.4.0", Ref("label", "fraud", "v1.4.0")),
        ("fraud:alpha-1", Ref("label", "fraud", "alpha-1")),
        ("fraud:=1.4.0", Ref("label", "fraud", "1.4.0")),
        ("fraud:1.x", Ref("label", "fraud", "1.x")),
        ("fraud:~1.4", Ref("range", "fraud", "~1.4")),
        ("fraud:^1", Ref("range", "fraud", "^1")),
        ("fraud:>=1.2,<2", Ref("range", "fraud", ">=1.2,<2")),
        ("fraud:>= 1.2 , < 2", Ref("range", "fraud", ">=1.2,<2")),
        ("fraud#7", Ref("number", "fraud", number=7)),
        ("fraud#007", Ref("number", "fraud", number=7)),
        ("fraud@champion", Ref("pointer", "fraud", "champion")),
        ("fraud@Champion", Ref("pointer", "fraud", "Champion")),
        ("fraud@Production", Ref("pointer", "fraud", "production")),
        ("fraud@champion~1", Ref("pointer", "fraud", "champion", back=1)),
        ("fraud@champion~0", Ref("pointer", "fraud", "champion")),
        ("fraud@champion{2026-03-01T12:00Z}", Ref("pointer", "fraud", "champion", at=NOON)),
        ("fraud@production{2026-03-01 14:00+02:00}", Ref("pointer", "fraud", "production", at=NOON)),
        ("fraud@champion{2026-03-01T12:00}", Ref("pointer", "fraud", "champion", at=NOON)),
        ("fraud@champion{2026-03-01}", Ref("pointer", "fraud", "champion", at=NOON.replace(hour=0))),
        (f"sha256:{HEX}", Ref("digest", value=f"sha256:{HEX}")),
        ("models:/fraud/3", Ref("number", "fraud", number=3)),
        ("models:/fraud@champion", Ref("pointer", "fraud", "champion")),
        ("models:/fraud/Production", Ref("pointer", "fraud", "production")),
        ("models:/fraud/latest", Ref("latest", "fraud")),
        ("models:/fraud_detection/Staging", Ref("pointer", "fraud_detection", "staging")),
        ("models:/team/fraud/3", Ref("number", "team/fraud", number=3)),
        ("models:/team/fraud@champion", Ref("pointer", "team/fraud", "champion")),
        (f"models:/{ULID}", Ref("id", value=ULID)),
    ],
)
def test_every_spelling_is_understood(text: str, ref: Ref) -> None:
    assert parse(text) == ref
    assert parse(str(ref)) == ref


@pytest.mark.parametrize(
    "text",
    [
        "", " ", " fraud", "fraud ", "fraud:", ":1", "#1", "@champion", "fraud#", "fraud#0", "fraud#-1",
        "fraud#1.5", "fraud#١",
        "fraud#" + "9" * 19, "fraud#1#2", "fraud@", "fraud@1st", "fraud@a b", "fraud@champion~",
        "fraud@champion~x",
        "fraud@champion~1{2026-03-01}", "fraud@champion{}", "fraud@champion{yesterday}",
        "fraud@champion{2026-13-01}",
        "fraud@champion{0001-01-01}", "fraud@champion{9999-12-31T23:59:59-12:00}", "fraud@latest~1",
        "fraud@latest{2026-03-01}",
        "fraud:1 0", "fraud:a:b", "fraud:^", "fraud:~x.y", "fraud:>=1,", "fraud:>=1,,<2", "fraud:^1 ^2",
        "fraud:=", "fraud:=^1",
        "sha256:abc", f"sha256:{HEX.upper()}", f"SHA256:{HEX}", "sha256:", "models:/", "models:/fraud",
        "models:/fraud/",
        "models:/fraud/1.4.0", "models:/fraud/x/y", "models://fraud/3", "models:/fraud/²", "a/b/c", "a\nb",
        "\ud800", "x" * 1001,
        "fraud@champion@x", "fraud\x00",
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_the_grammar_taught(text: str) -> None:
    with pytest.raises(InvalidRef) as error:
        parse(text)
    message = str(error.value)
    assert message.isprintable()
    assert "fraud@champion~1" in message
    assert "models:/fraud/3" in message


@pytest.mark.parametrize("value", [None, 7, b"fraud"])
def test_what_is_not_text_is_no_reference(value: object) -> None:
    with pytest.raises(InvalidRef, match="expected text"):
        parse(value)  # type: ignore[arg-type]


def test_the_message_names_what_was_found() -> None:
    expected = "expected a whole number from 1, of at most 18 digits, after '#', found 'x'"
    with pytest.raises(InvalidRef, match=f"reference 'fraud#x': {expected}"):
        parse("fraud#x")


@given(strategies.refs())
def test_writing_and_reading_a_reference_gives_it_back(ref: Ref) -> None:
    assert parse(str(ref)) == ref


@given(strategies.model_names(), strategies.labels())
@example("sha256", HEX)
@example("SHA256", HEX)
@example("sha256", "1.0")
@example("models", "1.0")
@example("fraud", "latest")
def test_any_name_with_any_label_has_a_reference(name: str, label: str) -> None:
    ref = Ref("label", name, label)
    assert parse(str(ref)) == ref


@given(st.text() | st.text("fraud:#@~^{}<>=,/ 0123.v"))
def test_reading_raises_nothing_but_invalid_ref(text: str) -> None:
    try:
        ref = parse(text)
    except InvalidRef:
        return
    assert parse(str(ref)) == ref


def test_only_pointers_named_after_stages_are_stages() -> None:
    assert parse("fraud@staging").is_stage
    assert not parse("fraud@champion").is_stage
    assert not parse("fraud:staging").is_stage


def test_ids_are_recognised() -> None:
    assert is_id(ULID)
    assert not is_id("fraud")
