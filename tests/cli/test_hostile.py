"""A38: text that moves cursors, forges lines or hides stays text, in tables, facts, errors and hints."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.cli import render

EVIL = "\x1b[31mred\x1b[0m\nroot: fine\r\u202egnp.exe\u200b=cmd()"


def assert_harmless(text: str) -> None:
    """Only printable characters and line ends."""
    bad = [char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs")]
    assert bad == []


@pytest.fixture
def evil(cli: Any, weights: Path) -> Any:
    """A version whose every free text is hostile."""
    cli(
        *("register", "--model-path", "weights.bin", "--name", "fraud", "--version", "1.0.0"),
        *(
            "--description",
            EVIL,
            "--tags",
            json.dumps({"note": EVIL}),
            "--attributes",
            json.dumps({"x": EVIL}),
        ),
        *("--params", json.dumps({"p": EVIL}), "--data-lineage", json.dumps({"d": EVIL})),
    )
    cli("promote", "fraud:1.0.0", "--target-stage", "staging", "--reason", EVIL)
    cli("promote", "fraud:1.0.0", "--target-stage", "production", "--reason", EVIL)
    cli("card", "fraud", json.dumps({"owner": EVIL}))
    return cli


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("info", "fraud"),
        ("status", "fraud"),
        ("history", "fraud"),
        ("lineage", "fraud"),
        ("card", "fraud"),
        ("monitor", "--once"),
        ("compare", "--model-name", "fraud"),
        ("tag", "fraud", "a=b"),
        ("list", "--json"),
        ("policy", "show", "fraud"),
    ],
    ids=" ".join,
)
def test_hostile_text_is_shown_escaped(evil: Any, words: tuple[str, ...]) -> None:
    ran = evil(*words)
    assert_harmless(ran.out)
    assert_harmless(ran.err)


@pytest.mark.parametrize(
    "words",
    [
        ("info", EVIL),
        ("search", f"metrics.{EVIL} > 1"),
        ("register", "--model-path", EVIL, "--name", "x"),
        ("register", "--model-path", "weights.bin", "--name", EVIL),
        ("promote", "fraud", "--target-stage", EVIL),
        (EVIL,),
        ("as-of", "fraud", EVIL),
        ("tag", "fraud", EVIL.replace("=", "")),
        ("policy", "set", "fraud", json.dumps({EVIL: 1})),
        ("list", f"--{EVIL}"),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_errors_about_hostile_words_are_harmless(
    evil: Any, words: tuple[str, ...], form: tuple[str, ...]
) -> None:
    from click.testing import CliRunner

    from modelyard.cli.main import program

    result = CliRunner().invoke(program, [*words, *form])
    assert result.exit_code in (2, 3)
    assert_harmless(result.stdout)
    assert_harmless(result.stderr)
    assert "\nroot: fine" not in result.stderr
    assert "Traceback" not in result.stderr


NAMES = st.text(
    st.characters(categories=("Lu", "Ll", "Lo", "Mn", "Nd"), exclude_characters="\u3164\u115f\u1160\uffa0"),
    min_size=1,
    max_size=60,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, st.text(max_size=200).filter(lambda text: "\x00" not in text and text.isprintable()))
def test_no_line_of_a_list_is_wider_than_eighty_columns(
    cli: Any, weights: Path, name: str, text: str
) -> None:
    from click.testing import CliRunner

    from modelyard.cli.main import program

    words = ["register", "--model-path", "weights.bin", "--name", name, "--tags", json.dumps({"t": text})]
    result = CliRunner().invoke(program, [*words, "--description", text])
    assert result.exit_code in (0, 2, 5), result.stderr
    for shown in (["list"], ["monitor", "--once"], ["stats"]):
        out = CliRunner().invoke(program, shown).stdout
        assert max(render.width_of(line) for line in out.splitlines()) <= 80
