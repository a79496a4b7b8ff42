"""``modelyard link``."""

from __future__ import annotations

from typing import Any

import click

from modelyard.cli import refs
from modelyard.cli.inputs import json_object
from modelyard.cli.options import reason_option, verb
from modelyard.cli.session import Session
from modelyard.domain.lineage import KINDS


@verb("link")
@click.argument("ref")
@click.argument("kind", type=click.Choice(tuple(KINDS)), metavar="KIND")
@click.argument("target")
@click.option("--details", type=json_object, metavar="JSON|FILE", help="What else is known of the link.")
@click.option("--remove", is_flag=True, help="Take back a link that was added so.")
@reason_option()
def command(
    session: Session,
    ref: str,
    kind: str,
    target: str,
    details: dict[str, Any] | None,
    remove: bool,
    reason: str,
) -> None:
    """KIND says what TARGET is to the version.

    A version: parent, fine_tuned_from, quantised_from, distilled_from, merged_from, promoted_from. A name: base_model,
    dataset, feature_store, code, run. A deployment: used_by.

    \b
    Examples:
      modelyard link fraud:1.2.0 dataset s3://data/train.parquet
      modelyard link fraud:1.2.0 fine_tuned_from base:3.0.0
    """
    if remove and details is not None:
        raise click.UsageError("--remove takes no --details: a link is named by its kind and target.")
    registry = session.open()
    if remove:
        version = registry.unlink(ref, kind, target, reason=reason)
    else:
        version = registry.link(ref, kind, target, details=details, reason=reason)
    session.done(version, f"{refs.spelled(version)} is {'no longer ' if remove else ''}{kind} {target}")
    session.next("lineage", refs.spelled(version))
