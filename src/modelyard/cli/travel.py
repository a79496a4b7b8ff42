"""What ``push`` and ``pull`` have in common: the carrying, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.cli import figures, refs
from modelyard.cli.session import Session
from modelyard.domain.errors import Unreachable
from modelyard.domain.text import plain

if TYPE_CHECKING:
    from modelyard.client.carry import Carried
    from modelyard.registry import ModelRegistry


def travel(
    session: Session, source: ModelRegistry, target: ModelRegistry, ref: str, *, everything: bool, verb: str
) -> None:
    """Carry one version or all of a model, and report each; also those that arrived before one that fails."""
    from modelyard.client.carry import carry, chosen

    bars = source.progress or target.progress
    carried: list[Carried] = []
    whole = False
    try:
        for version in chosen(source.service, ref, everything=everything):
            carried.append(carry(source.service, target.service, version, bars))  # noqa: PERF401 - each as it lands
        whole = True
    except Unreachable as error:
        end = "" if error.detail.endswith("?") else "."
        detail = f"{error.detail}{end} What has arrived stays; the same command again goes on from there"
        raise Unreachable(detail, reasons=error.reasons, data=error.data) from error
    finally:
        if carried or whole:
            session.answer(
                {"versions": carried}, lambda: [_line(one, verb, session.quiet) for one in carried]
            )


def _line(one: Carried, verb: str, quiet: bool) -> str:
    if quiet:
        return one.target.model_id
    spelled = plain(refs.spelled(one.source))
    if one.outcome == "present":
        return f"{spelled} is there already"
    spared = f", {figures.size(one.spared)} were there" if one.spared else ""
    way = "sent" if verb == "pushed" else "fetched"
    return f"{verb} {spelled} ({figures.size(one.sent)} {way}{spared}) as number {one.target.number}"
