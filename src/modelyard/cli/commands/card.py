"""``modelyard card``."""

from __future__ import annotations

from typing import Any

import click

from modelyard.cli import refs, render
from modelyard.cli.answers import to_json
from modelyard.cli.inputs import json_object
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.records import ModelVersion


@verb("card")
@click.argument("ref")
@click.argument("fields", type=json_object, metavar="[JSON|FILE]", required=False)
def command(session: Session, ref: str, fields: dict[str, Any] | None) -> None:
    """The gate documentation_complete looks at its fields; a field given as null is removed.

    \b
    Examples:
      modelyard card fraud:1.2.0
      modelyard card fraud:1.2.0 '{"owner": "risk", "intended_use": "payments"}'
    """
    registry = session.open()
    if fields is None:
        version = registry.get_model(ref)
        session.answer({"model_id": version.model_id, "card": version.card}, lambda: _lines(session, version))
        return
    version = registry.update_card(ref, fields)
    session.done(
        version, f"{refs.spelled(version)}: card version {version.card_version}, {', '.join(version.card)}"
    )


def _lines(session: Session, version: ModelVersion) -> list[str]:
    if not version.card:
        return ["The card is empty."]
    longest = min(max(render.width_of(name) for name in version.card), 24)
    pairs = [
        (name, value if isinstance(value, str) else str(to_json(value)))
        for name, value in version.card.items()
    ]
    return render.facts(pairs, session.width, longest)
