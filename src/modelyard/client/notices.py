"""What a caller should see about a version that was registered, though nothing kept it from being so."""

from __future__ import annotations

import warnings
from typing import Final

from modelyard.domain.errors import ModelyardWarning
from modelyard.domain.records import ModelVersion

FRAMES: Final = 4
"""Up to the caller: this function, the registry's method, what checks its arguments, who called it."""


def told(version: ModelVersion) -> str:
    """Warn of everything that was recorded as a warning with the version, and return its ``model_id``.

    The version is there by then: where warnings are made errors, the call fails and the version stays.
    """
    for line in version.warnings:
        warnings.warn(ModelyardWarning(f"{version.name}:{version.version}: {line}"), stacklevel=FRAMES)
    return version.model_id
