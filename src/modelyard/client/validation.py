"""Validators that the team installs: what a promotion's ``validation_required`` looks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelyard.domain.errors import NotSupported
from modelyard.domain.records import ModelVersion

GROUP = "modelyard.validators"


def run(ref: str, load: Callable[[], tuple[Any, ModelVersion]]) -> tuple[bool, dict[str, Any]]:
    """Load the model once and ask every validator; returns whether all pass, and what each said.

    A validator that raises has failed, and its error is the evidence: a broken check must not open a gate.
    """
    from importlib.metadata import entry_points  # 30 ms, for a call that few make

    validators = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    if not validators:
        raise NotSupported(
            f"no validators are installed, so {ref!r} cannot be validated; provide a callable as entry point of the "
            f"group {GROUP!r}, or record the check yourself: record_check({ref!r}, 'validation', True)"
        )
    model, version = load()
    evidence = {point.name: _ask(point.load, model, version) for point in validators}
    return all(said["passed"] for said in evidence.values()), evidence


def _ask(find: Callable[[], Any], model: Any, version: ModelVersion) -> dict[str, Any]:
    try:
        said = find()(model, version)
    except Exception as error:
        return {"passed": False, "error": f"{type(error).__name__}: {error}"}
    passed, told = said if isinstance(said, tuple) else (said, None)
    return {"passed": passed is True, **({"evidence": told} if told is not None else {})}
