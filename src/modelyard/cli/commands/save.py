"""``modelyard save``."""

from __future__ import annotations

from typing import Any

import click

from modelyard.cli.commands.register import announce, source
from modelyard.cli.inputs import json_object
from modelyard.cli.options import verb
from modelyard.cli.session import Session


@verb("save")
@click.option("--model-name", required=True, metavar="NAME", help="Name of the model; made if new.")
@click.option("--version", metavar="LABEL", help="Label such as 1.0.0; without it the next one.")
@click.option("--model-file", required=True, metavar="PATH", help="File or directory of the model.")
@click.option(
    "--metadata",
    type=json_object,
    metavar="JSON|FILE",
    help="Facts: numbers become metrics, the rest attributes.",
)
def command(
    session: Session, model_name: str, version: str | None, model_file: str, metadata: dict[str, Any] | None
) -> None:
    """The short form of register, for a model and one file of facts about it.

    \b
    Example:
      modelyard save --model-name fraud --version 1.0.0 \\
        --model-file model.pkl --metadata metadata.json
    """
    model = source(model_file, no_files=False)
    metrics, attributes = split(metadata or {})
    registry = session.open(create=True)
    model_id = registry.register_model(
        model, model_name, version, performance_metrics=metrics, attributes=attributes
    )
    announce(session, registry, model_name, model_id)


def split(metadata: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata as ``(metrics, attributes)``: a number is something measured, anything else is said."""
    metrics = {k: v for k, v in metadata.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    return metrics, {k: v for k, v in metadata.items() if k not in metrics}
