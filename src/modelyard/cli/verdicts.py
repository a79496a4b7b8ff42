"""A gate's verdict as a table: what was asked, what was found, pass or fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import render
from modelyard.cli.render import Column

if TYPE_CHECKING:
    from modelyard.domain.gates import Verdict

RULES: Final = (
    Column(title="", keep=True),
    Column(title="RULE", keep=True),
    Column(title="EXPECTED", right=True),
    Column(title="FOUND", right=True),
    Column(title="FROM"),
    Column(title="MEASURED", cut="end"),
)


def lines(verdict: Verdict, width: int, paint: render.Paint) -> list[str]:
    """One row per rule, then the warnings."""
    result: list[str] = []
    if verdict.rules:
        rows = [
            [
                "pass" if rule.passed else "FAIL",
                rule.rule,
                _value(rule.expected),
                _value(rule.observed),
                rule.source,
                rule.origin,
            ]
            for rule in verdict.rules
        ]
        table = render.table(RULES, rows, width, paint)
        result = [table[0]]
        result += [
            paint(line, "good" if rule.passed else "bad")
            for line, rule in zip(table[1:], verdict.rules, strict=False)
        ]
        for rule in verdict.rules:
            if not rule.passed:
                result += render.facts([("", f"{rule.rule}: {rule.reason}")], width, 2)
    else:
        result.append("no gate applies")
    for warning in verdict.warnings:
        result += render.facts([("warning", warning)], width)
    return result


def _value(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
