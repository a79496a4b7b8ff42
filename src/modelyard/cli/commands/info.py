"""``modelyard info``."""

from __future__ import annotations

from modelyard.cli import refs, versions
from modelyard.cli.options import verb, version_options
from modelyard.cli.session import Session


@verb("info")
@version_options
def command(session: Session, ref: str | None, model_name: str | None, label: str | None) -> None:
    """Example: modelyard info fraud:1.2.0"""
    wanted = refs.chosen(ref, model_name, label)
    version = session.open().get_model(wanted)
    session.answer(version, lambda: versions.page(version, session.now, session.width))
