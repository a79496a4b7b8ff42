"""What a version was made with, held against this process: as a report, and before anything of it is loaded."""

from __future__ import annotations

import warnings

from modelyard.domain import environment as rules
from modelyard.domain.environment_report import EnvironmentReport
from modelyard.domain.errors import EnvironmentMismatch, LoadRefused
from modelyard.domain.records import ModelVersion
from modelyard.flavors import environment
from modelyard.ports.service import RegistryService

FRAMES = 6
"""Calls between the caller's line and the warning, so that it names that line."""


def report(service: RegistryService, version: ModelVersion) -> EnvironmentReport:
    """The recorded environment of a version and how this process differs."""
    return EnvironmentReport(
        name=version.name,
        version=version.version,
        slug=service.get_model(version.name).slug,
        declared=version.environment,
        differences=rules.differences(version.environment, environment.here(version.environment)),
    )


def check(service: RegistryService, version: ModelVersion) -> None:
    """Warn of what is missing here or differs in its major version, or refuse, as the model's policy says.

    Raises:
        LoadRefused: The policy's ``environment`` is ``refuse``.
    """
    found = rules.differences(version.environment, environment.here(version.environment))
    severe = [str(difference) for difference in found if difference.level in rules.SEVERE]
    if not severe:
        return
    subject = f"{version.name}:{version.version}"
    rule = service.get_model(version.name).policy.environment
    if rule == "refuse":
        raise LoadRefused(
            f"{subject} is not loaded: its environment differs from this one, and the model's policy refuses that. "
            f"`modelyard env {subject} --format requirements` prints what it was made with.",
            reasons=severe,
            data={"check": "environment"},
        )
    if rule == "warn":
        text = f"{subject} was made in another environment and may not load or behave the same: {'; '.join(severe)}"
        warnings.warn(EnvironmentMismatch(text), stacklevel=FRAMES)
