"""``modelyard policy``."""

from __future__ import annotations

import json
from typing import Any

import click

from modelyard.cli.inputs import json_object
from modelyard.cli.options import group, reason_option
from modelyard.cli.session import Session


@group("policy")
def command() -> None:
    """Gates per stage, lifecycle, how many may be live, retention, classes that loading needs.

    \b
    Example:
      modelyard policy show fraud > policy.json
      modelyard policy set fraud policy.json --reason "raise the bar"
    """


@command.command("show")
@click.argument("name")
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Print the rules of model NAME as JSON, fit to be edited and set."""
    policy = session.open().get_policy(name)
    session.answer(policy, lambda: [json.dumps(policy, indent=2)])


@command.command("set")
@click.argument("name")
@click.argument("policy", type=json_object, metavar="FILE|JSON")
@click.option("--expected", type=int, metavar="N", help="Only if the policy's version is N.")
@reason_option()
@click.pass_obj
def set_(session: Session, name: str, policy: dict[str, Any], expected: int | None, reason: str) -> None:
    """Replace the rules of model NAME."""
    model = session.open().set_policy(name, policy, reason=reason, expected=expected)
    session.done(model, f"{model.name} has policy version {model.policy.version} now")
    session.next("policy", "show", name)
