"""``compare`` and ``diff`` on a terminal of 80 columns."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from modelyard import ModelRegistry, ModelyardWarning


@pytest.fixture
def fraud(cli: Any, place: Path) -> Any:
    """Two versions with results, params and card, whose labels are too close; then one on other data."""
    with ModelRegistry() as registry, warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelyardWarning)
        for label, share in (("1.0.0", 60), ("1.1.0", 80)):
            rows = [{"example_id": i, "correct": i < share} for i in range(100)]
            (place / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
            registry.register_model(
                None,
                "fraud",
                label,
                performance_metrics={
                    "accuracy": {"value": share / 100, "split": "test"},
                    "mae": {"value": share / 50, "n": 100, "sd": 1.0},
                    "latency_ms": 5,
                },
                hyperparams={"C": share, "layers": [64, 64]},
                card={"description": "long " * 200 + label},
                signature={"inputs": [{"name": f"amount_{label}", "type": "float64"}]},
                artifacts={"results/test.jsonl": place / "rows.jsonl"},
                override_reason="a test",
            )
        registry.register_model(
            None, "fraud", "1.2.0", performance_metrics={"accuracy": {"value": 0.99, "split": "train"}}
        )
    return cli


def narrow(text: str) -> list[str]:
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_two_versions_fit_a_terminal_and_the_tests_are_named(fraud: Any) -> None:
    lines = narrow(fraud("compare", "fraud:1.0.0", "fraud:1.1.0").out)
    title = next(line for line in lines if line.startswith("METRIC"))
    assert title.split() == ["METRIC", "A", "B", "CHANGE", "95", "%", "INTERVAL", "P", "BETTER"]
    row = next(line for line in lines if line.startswith("accuracy[test]"))
    assert row.split() == ["accuracy[test]", "0.6", "0.8", "+0.2", "+0.114", "to", "+0.278", "<0.001", "B"]
    assert "- McNemar exact, n 100: accuracy[test]" in lines
    assert "- Welch t, n 100: mae" in lines
    assert "- latency_ms: no sample size recorded" in lines
    assert any(line.startswith("no winner (confidence") for line in lines)
    assert "signatures: breaking" in lines
    assert any(line.startswith("param C") for line in lines)


def test_the_winner_is_named_with_its_confidence(fraud: Any) -> None:
    lines = narrow(fraud("compare", "fraud:1.0.0", "fraud:1.1.0", "--metrics", "accuracy").out)
    assert "B is better: fraud:1.1.0 (confidence 1, statistical)" in lines


def test_numbers_on_different_data_say_so(fraud: Any) -> None:
    lines = fraud("compare", "fraud:1.0.0", "fraud:1.2.0", "--metrics", "accuracy").out
    assert "left out: measured on different data (split test and train)" in " ".join(lines.split())
    assert "no winner" in lines


def test_all_versions_have_a_column_for_each_data_set(fraud: Any) -> None:
    lines = narrow(fraud("compare", "--model-name", "fraud").out)
    assert lines[0].split() == [
        "VERSION",
        "STAGE",
        "accuracy[test]",
        "accuracy[train]",
        "latency_ms",
        "CREATED",
    ]
    assert lines[-1] == "more metrics, to be chosen with --metrics: mae"
    lines = narrow(fraud("compare", "--model-name", "fraud", "--metrics", "mae").out)
    assert lines[0].split() == ["VERSION", "STAGE", "mae", "CREATED"]
    found = fraud("compare", "--model-name", "fraud", "--json").json
    assert found["values"]["accuracy[test]"] == [None, 0.8, 0.6]


def test_a_metric_that_no_version_has_is_an_error(fraud: Any) -> None:
    ran = fraud("compare", "--model-name", "fraud", "--metrics", "mea", code=2)
    assert "measured in no version" in ran.err
    assert "Did you mean 'mae'?" in ran.err


def test_a_difference_shows_each_part_in_one_line(fraud: Any) -> None:
    lines = narrow(fraud("diff", "fraud:1.0.0", "fraud:1.1.0").out)
    starts = {" ".join(line.split()[:2]) for line in lines}
    assert {"signatures: breaking", "param C", "file results/test.jsonl", "card description"} <= starts
    found = fraud("diff", "fraud:1.0.0", "fraud:1.1.0", "--json").json
    assert found["params"] == {"C": {"a": 60, "b": 80}}
    assert found["signature_verdict"] == "breaking"


def test_equal_versions_differ_in_nothing(fraud: Any) -> None:
    assert "nothing differs" in narrow(fraud("diff", "fraud:1.0.0", "fraud:1.0.0").out)


@pytest.mark.parametrize("verb", ["compare", "diff"])
def test_hostile_params_and_cards_are_shown_escaped(cli: Any, place: Path, verb: str) -> None:
    evil = "\x1b[31mred\x1b[0m\nroot: fine\r\u202e"
    with ModelRegistry() as registry:
        for number in range(2):
            registry.register_model(
                None,
                "fraud",
                hyperparams={"p": f"{evil}{number}", "q": {"r": [evil, number]}},
                card={"owner": f"{evil}{number}"},
            )
    for line in narrow(cli(verb, "fraud#1", "fraud#2").out):
        assert line.isprintable(), line


def test_two_refs_or_a_model_are_needed(cli: Any) -> None:
    assert "Give two refs, or --model-name" in cli("compare", "a", "b", "--model-name", "m", code=2).err
    assert "Which ones?" in cli("compare", code=2).err


def test_a_signature_that_one_side_lacks_is_a_difference(cli: Any) -> None:
    with ModelRegistry() as registry:
        registry.register_model(None, "fraud", input_example={"a": [1.0]})
        registry.register_model(None, "fraud")
    for verb in ("diff", "compare"):
        told = cli(verb, "fraud#1", "fraud#2").out
        assert "nothing differs" not in told
        assert "signatures: unknown\n  - only a has a signature" in told
