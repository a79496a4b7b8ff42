"""A51: a configuration file written by an attacker is refused quickly, and nothing in it ever runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidConfig
from modelyard.settings import load
from modelyard.settings.findings import Findings
from modelyard.settings.read import read_yaml
from modelyard.settings.table import table
from modelyard.settings.yaml_safe import (
    MAX_ALIASES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    Listing,
    Scalar,
    Table,
    parse,
)

VALID = """\
registry: {path: models}
storage:
  local:
    compression: true
monitoring:
  interval: 60
security:
  trust: ["my_pkg.*"]
"""

LOADERS = ("CSafeLoader", "SafeLoader")


@pytest.fixture(params=LOADERS, autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers: the one with libyaml, and the one PyYAML has everywhere."""
    if request.param == "SafeLoader":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without libyaml")
    return str(request.param)


def refusal(data: bytes) -> str:
    started = time.process_time()
    with pytest.raises(InvalidConfig) as caught:
        parse(data, "x.yaml")
    assert time.process_time() - started < 10
    return str(caught.value)


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch PWNED']",
        "!!python/object/new:os.system ['touch PWNED']",
        "!!python/name:os.system",
        "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch PWNED']",
        "!!str harmless",
        "!custom {a: b}",
    ],
)
def test_A51_a_tag_is_refused_with_its_line_and_runs_nothing(
    tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = refusal(f"registry:\n  path: {tag}\n".encode())
    assert message.startswith("x.yaml:2: expected plain values, found the tag ")
    assert list(tmp_path.iterdir()) == []


def test_A51_a_tag_behind_a_directive_is_refused() -> None:
    assert "found the tag" in refusal(b"%TAG ! tag:yaml.org,2002:python/\n---\nregistry: !name:os.system\n")


@pytest.mark.parametrize(
    ("last", "refusal"),
    [
        ("registry: *a9", "expected indented keys below it, found a list"),
        ("security: {trust: *a9}", "found a list"),
    ],
)
def test_A51_an_alias_bomb_is_never_unfolded(tmp_path: Path, last: str, refusal: str) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    (tmp_path / "x.yaml").write_text("\n".join([*levels, last]), "utf-8")  # 3.9 billion leaves
    started = time.process_time()
    with pytest.raises(InvalidConfig) as caught:
        load("x.yaml", env={}, cwd=tmp_path)
    assert time.process_time() - started < 10
    assert caught.value.reasons[-1].endswith(refusal)


def test_A51_too_many_aliases_are_refused() -> None:
    text = "a: &a x\nb: [" + ", ".join(["*a"] * MAX_ALIASES) + "]\n"
    assert (
        refusal(text.encode()) == f"x.yaml:2: expected at most {MAX_ALIASES} anchors and aliases, found more"
    )


def test_aliases_within_the_limit_stand_for_what_they_name() -> None:
    root = parse(b"a: &a [x]\nb: *a\n", "x.yaml")
    assert isinstance(root, Table)
    (_, first), (_, second) = root.entries
    assert first is second


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: *a\n", "&a {b: *a}\n"])
def test_A51_a_value_that_contains_itself_is_refused(text: str) -> None:
    assert "names nothing that is complete before it" in refusal(text.encode())


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_A51_deep_nesting_is_refused_before_anything_recurses(opening: str) -> None:
    assert f"expected at most {MAX_DEPTH} levels" in refusal(opening.encode() * 20_000)


def test_A51_depth_up_to_the_limit_is_read() -> None:
    root = parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "x.yaml")
    assert isinstance(root, Listing)
    assert f"{MAX_DEPTH} levels" in refusal(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_A51_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    exact = b"#" * MAX_BYTES
    assert parse(exact, "x.yaml") is None
    assert f"at most {MAX_BYTES} bytes" in refusal(exact + b"#")
    with (tmp_path / "x.yaml").open("wb") as file:
        file.truncate(1 << 40)  # a sparse terabyte: reading it whole would not come back
    with pytest.raises(InvalidConfig, match="at most"):
        load("x.yaml", env={}, cwd=tmp_path)


def test_A51_a_file_of_countless_values_is_refused(loader: str) -> None:
    data = b"a:\n" + b"- x\n" * (MAX_NODES + 1)
    with pytest.raises(InvalidConfig, match=f"at most {MAX_NODES} values"):
        parse(data, "x.yaml")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: 1\n---\nb: 2\n", "x.yaml:2: expected one document, found a second one after '---'"),
        (b"a: 1\n[b]: 2\n", "x.yaml:2: expected a key that is text, found a list or a section"),
        (b"a: 1\nb: \xff\n", "x.yaml:2: expected UTF-8, found the byte 0xff"),
    ],
)
def test_what_is_not_plain_configuration_is_refused_with_its_line(data: bytes, message: str) -> None:
    assert refusal(data) == message


@pytest.mark.parametrize(
    "data", [b"a: [1\nb: 2\n", b"a: b: c\n", b"\ta: 1\n", b"a: 'x\n", b"a: @x\n", b"%FOO\n"]
)
def test_what_is_not_yaml_is_refused_with_a_line(data: bytes) -> None:
    message = refusal(data)
    assert message.startswith("x.yaml:")
    assert "not valid YAML" in message
    assert "\n" not in message


def test_forbidden_characters_are_refused() -> None:
    assert "not valid YAML" in refusal(b"a: \x00\x07\n")


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    root = parse("\ufeffregistry: x".encode(), "x.yaml")
    assert isinstance(root, Table)
    assert root.entries[0][0] == Scalar(text="registry", plain=True, line=1)


def test_hostile_names_cannot_forge_lines_in_a_message(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text('"a\\nb\\e[2J\\u202e' + "c" * 5000 + '": 1\n', "utf-8")
    with pytest.raises(InvalidConfig) as caught:
        load("x.yaml", env={}, cwd=tmp_path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@given(
    st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        node = parse(data, "x.yaml")
    except InvalidConfig:
        return
    assert node is None or isinstance(node, Scalar | Listing | Table)


JUNK = st.text(alphabet="ab:-[]{}&*!|>'\"#?,% \n\t~1\x07é", min_size=1, max_size=8)


@given(st.integers(0, len(VALID)), JUNK, st.integers(0, 20))
def test_a_damaged_file_is_read_or_refused_with_a_place(position: int, junk: str, removed: int) -> None:
    found = Findings()
    read_yaml((VALID[:position] + junk + VALID[position + removed :]).encode(), "x.yaml", found)
    assert set(found.values) <= set(table())
    assert all(found.values[key] is not None for key in found.values)
    assert all(problem.startswith("x.yaml:") and problem.isprintable() for problem in found.problems)
