"""Rules for names: models, aliases, labels, keys, metrics, digests."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidInput, InvalidName
from modelyard.domain.names import (
    check_alias,
    check_digest,
    check_key,
    check_label,
    check_metric_name,
    check_model_name,
    fold,
    is_id,
)
from modelyard.testing import strategies

ULID = "01j9zx4m8n2p6q7r5s3t1v0w9y"


@pytest.mark.parametrize(
    "name",
    [
        "fraud",
        "Fraud Detection (EU)",
        "R&D, o'hara + co",
        "a.b_c-d",
        "模型",
        "naïve",
        "हिन्दी",
        "x" * 200,
        "team/fraud",
        "9",
    ],
)
def test_ordinary_names_are_kept_as_they_are(name: str) -> None:
    assert check_model_name(name) == name


def test_namespace_and_name_may_each_be_200_characters_long() -> None:
    longest = "n" * 200 + "/" + "x" * 200
    assert check_model_name(longest) == longest


@pytest.mark.parametrize(
    "name",
    [
        "", " fraud", "fraud ", ".fraud", "fraud.", "x" * 201, "/x", "x/", "a/b/c", "a//b", "ns/ x", "ns /x",
        ULID, ULID.upper(), "a:b", "a#b", "a@b", "a~b", "a^b", "a{b", "a\\b", 'a"b', "a`b", "a%2e%2e",
        "a=b", "a?b", "a*b",
        "../x", "..", "½", "😀", "a\ud800",
    ],
)  # fmt: skip
def test_names_outside_the_rule_are_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        check_model_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "a\x00b", "a\nb", "a\tb", "a\u202eb", "a\u200bb", "a\u200db", "a\ufeffb", "a\u2066b", "a\u00a0b",
        "a\u2028b",
        "a\u3164b", "a\u115fb", "a\ufe0fb", "a\U000e0100b", "a\u034fb", "\x1b[31mred", "／etc", "．．",
    ],
)  # fmt: skip
def test_A50_control_invisible_and_bidirectional_characters_never_get_into_a_name(name: str) -> None:
    with pytest.raises(InvalidName) as error:
        check_model_name(name)
    assert str(error.value).isprintable()


def test_A50_ten_megabytes_of_name_are_refused_with_a_short_message() -> None:
    with pytest.raises(InvalidName, match="10000000 characters") as error:
        check_model_name("é" * 10_000_000)
    assert len(str(error.value)) < 300


def test_A50_both_spellings_of_an_accent_are_one_name() -> None:
    assert check_model_name("cafe\u0301") == "caf\u00e9" == check_model_name("caf\u00e9")


@pytest.mark.parametrize(
    ("one", "other"), [("Fraud", "fRAUD"), ("Ｆｒａｕｄ", "fraud"), ("Straße", "STRASSE"), ("ﬁt", "fit")]
)
def test_A50_names_that_differ_in_case_or_width_fold_together(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_look_alike_letters_of_another_alphabet_stay_apart() -> None:
    assert fold("fr\u0430ud") != fold("fraud")


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_whatever_is_accepted_as_a_name_is_nfc_storable_and_printable(text: str) -> None:
    try:
        name = check_model_name(text)
    except InvalidName:
        return
    assert unicodedata.is_normalized("NFC", name)
    assert name.isprintable()
    assert check_model_name(name) == name
    assert not is_id(name)


def test_the_message_says_what_was_expected_what_was_found_and_what_to_do() -> None:
    with pytest.raises(InvalidName) as error:
        check_model_name("fraud:v1")
    message = str(error.value)
    assert "'fraud:v1'" in message
    assert "letters, digits" in message
    assert "U+003A COLON" in message
    assert "Leave that character out" in message


@pytest.mark.parametrize(
    "check", [check_model_name, check_alias, check_label, check_key, check_metric_name, check_digest]
)
@pytest.mark.parametrize("value", [None, 3, b"fraud", ["fraud"]])
def test_what_is_not_text_is_refused_as_such(check: object, value: object) -> None:
    with pytest.raises(InvalidInput):
        check(value)  # type: ignore[operator]


@pytest.mark.parametrize(
    "alias", ["champion", "prod-eu", "A", "z" * 128, "v1.2", "release_7", "abcdef", "my-latest"]
)
def test_ordinary_aliases_are_accepted(alias: str) -> None:
    assert check_alias(alias) == alias


@pytest.mark.parametrize(
    "alias",
    [
        "", "1st", "-x", "a" * 129, "a b", "é", "a/b", "a\n", "latest", "Latest", "main", "production",
        "Staging", "archived",
        "v1", "V12", "abcdef0", "DEADBEEF", "sha256-abc", "stage-x", "Stage-x",
    ],
)  # fmt: skip
def test_aliases_that_mean_something_else_are_refused(alias: str) -> None:
    with pytest.raises(InvalidName, match="expected"):
        check_alias(alias)


@pytest.mark.parametrize("label", ["1.4.0", "v1.4.0", "alpha-1", "1.0.0+build.7", "x" * 128, "0"])
def test_ordinary_labels_are_accepted(label: str) -> None:
    assert check_label(label) == label


@pytest.mark.parametrize("label", ["", "-1", ".1", "1 0", "1/0", "1:0", "é", "x" * 129, "1.0\n", "=1"])
def test_labels_outside_the_rule_are_refused(label: str) -> None:
    with pytest.raises(InvalidName, match="expected a letter or digit"):
        check_label(label)


@pytest.mark.parametrize("key", ["team", "val accuracy", "a.b[c]", "模", "x" * 250, "$set", "o'hara"])
def test_any_printable_key_is_accepted(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key", ["", "x" * 251, "x" * 5000, "a\nb", "a\x00", "a\u202eb", "a\u2028", "\ud800", "a\u00a0b"]
)
def test_unprintable_empty_or_long_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidName):
        check_key(key)


def test_the_error_about_a_key_calls_it_what_the_caller_calls_it() -> None:
    with pytest.raises(InvalidName, match=r"^tag ''"):
        check_key("", "tag")


def test_metric_names_leave_square_brackets_to_gates() -> None:
    assert check_metric_name("val/accuracy@5") == "val/accuracy@5"
    for name in ("accuracy[test]", "a]", "["):
        with pytest.raises(InvalidName, match="square brackets"):
            check_metric_name(name)


@given(strategies.digests())
def test_full_digests_are_accepted(digest: str) -> None:
    assert check_digest(digest) == digest


@given(st.from_regex(re.compile(r"sha256:[0-9a-fA-F]{60,68}\n?", re.ASCII), fullmatch=True))
def test_only_64_lower_case_digits_make_a_digest(text: str) -> None:
    if re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        assert check_digest(text) == text
    else:
        with pytest.raises(InvalidInput, match="64 lower-case hex digits"):
            check_digest(text)


def test_ids_are_26_base_32_characters_in_either_case() -> None:
    assert is_id(ULID)
    assert is_id(ULID.upper())
    for text in (ULID[:-1], ULID + "0", "8" + ULID[1:], ULID[:-1] + "u", ULID + "\n", ""):
        assert not is_id(text)


@pytest.mark.parametrize(
    ("strategy", "check"),
    [
        (strategies.model_names(), check_model_name),
        (strategies.aliases(), check_alias),
        (strategies.labels(), check_label),
        (strategies.keys(), check_key),
        (strategies.metric_names(), check_metric_name),
    ],
)
@given(data=st.data())
def test_drawn_names_are_accepted_unchanged(
    strategy: st.SearchStrategy[str], check: object, data: st.DataObject
) -> None:
    name = data.draw(strategy)
    assert check(name) == name  # type: ignore[operator]
