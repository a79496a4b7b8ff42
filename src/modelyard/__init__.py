"""Modelyard: a model registry with pointers you can trust, moved under rules, never dangling, with history.

>>> import modelyard
>>> sorted(modelyard.__all__)[:3]
['AlreadyExists', 'AuditBroken', 'BlobDamaged']

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_ERRORS = (
    "AliasNotFound AlreadyExists AuditBroken BlobDamaged BlobNotFound BumpRefused Conflict GateRefused "
    "IntegrityError InvalidConfig InvalidInput InvalidName InvalidPath InvalidPolicy InvalidQuery InvalidRef "
    "LoadRefused MethodNotAllowed MissingDependency ModelNotFound ModelyardError NotAllowed NotAuthenticated "
    "NotFound NotSupported Overloaded PermissionDenied PreconditionFailed Protected RateLimited StorageError "
    "StorageFull TooLarge TransitionNotAllowed Unreachable UnsupportedMediaType VersionNotFound"
).split()

_WARNINGS = ("ModelyardWarning", "EnvironmentMismatch", "GitUnavailable")

_HOMES = {
    "ModelRegistry": "modelyard.registry",
    "ModelABTest": "modelyard.experiments",
    "ModelStage": "modelyard.domain.records",
    "ModelVersion": "modelyard.domain.records",
    "Comparison": "modelyard.domain.compare",
    "Settings": "modelyard.settings",
    "Signature": "modelyard.domain.signature",
    "Field": "modelyard.domain.signature",
    "signature_verdict": "modelyard.domain.signature_verdict",
    "infer_signature": "modelyard.flavors.schema",
    "register_sklearn_model": "modelyard.shortcuts",
    "get_best_model": "modelyard.shortcuts",
    "VersionTracker": "modelyard.tracker",
    **dict.fromkeys((*_ERRORS, *_WARNINGS), "modelyard.domain.errors"),
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list of names, computed from the table above

if TYPE_CHECKING:
    from modelyard.domain.compare import Comparison as Comparison
    from modelyard.domain.errors import *  # noqa: F403
    from modelyard.domain.records import ModelStage as ModelStage
    from modelyard.domain.records import ModelVersion as ModelVersion
    from modelyard.domain.signature import Field as Field
    from modelyard.domain.signature import Signature as Signature
    from modelyard.domain.signature_verdict import signature_verdict as signature_verdict
    from modelyard.experiments import ModelABTest as ModelABTest
    from modelyard.flavors.schema import infer_signature as infer_signature
    from modelyard.registry import ModelRegistry as ModelRegistry
    from modelyard.settings import Settings as Settings
    from modelyard.shortcuts import get_best_model as get_best_model
    from modelyard.shortcuts import register_sklearn_model as register_sklearn_model
    from modelyard.tracker import VersionTracker as VersionTracker


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'modelyard' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
