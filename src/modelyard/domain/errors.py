"""Every error Modelyard raises, on one screen.

    ModelyardError
    ├── InvalidInput (ValueError)            what was given is malformed
    │   ├── InvalidName                      a model, alias, label or tag name
    │   ├── InvalidRef                       a reference such as ``fraud@champion``
    │   ├── InvalidPath                      a file path inside a version
    │   ├── InvalidQuery                     a filter; carries ``position``
    │   ├── InvalidConfig                    a configuration file or variable
    │   ├── InvalidPolicy                    a model's own rules
    │   ├── UnsupportedMediaType             a body of another kind than is read there
    │   └── TooLarge                         more than a server takes at once
    │       └── QuotaExceeded                more than there is room for; ``data["quota"]`` names the setting
    ├── NotFound (LookupError)               what was named is not there
    │   ├── ModelNotFound
    │   ├── VersionNotFound
    │   ├── AliasNotFound
    │   └── BlobNotFound                     bytes that were never uploaded, or were collected
    ├── AlreadyExists (FileExistsError)      what was to be made is there, and differs
    ├── Conflict                             somebody else moved first; nothing was changed
    │   └── PreconditionFailed               the record is not the one that ``If-Match`` names
    ├── NotAllowed (ValueError)              well formed, but a rule forbids it
    │   ├── TransitionNotAllowed             the lifecycle table has no such move
    │   ├── GateRefused                      a gate failed; carries ``verdict``
    │   ├── BumpRefused                      the version step is too small for the signature's change
    │   ├── Protected                        something still points at it
    │   └── PermissionDenied (PermissionError)
    ├── NotAuthenticated                     the server does not know who asks
    ├── RateLimited                          asked too often; ``data["retry_after"]`` says when to come back
    │   └── Overloaded                       the server takes nothing more just now; ``retry_after`` as above
    ├── LoadRefused                          the load contract does not let these bytes run
    ├── IntegrityError                       what is stored is not what was stored
    │   ├── BlobDamaged                      bytes differ from their digest
    │   └── AuditBroken                      the event chain does not hold
    ├── StorageError (OSError)               the disk or the database said no
    │   ├── StorageFull
    │   └── Unreachable (ConnectionError)    the server did not answer
    ├── MissingDependency (ImportError)      an optional package is needed; says which extra
    └── NotSupported (NotImplementedError)   a documented limit of this backend or build
        └── MethodNotAllowed                 the address has other methods

    ModelyardWarning (UserWarning)           goes on, but should be seen; root of the warnings
    ├── EnvironmentMismatch                  a model is loaded elsewhere than it was made
    └── GitUnavailable                       what depends on a git work tree was done without one

A failed call has changed nothing, unless ``detail`` says what stands. ``code`` is stable and crosses the wire;
``detail`` is for people; ``reasons`` lists single causes; ``data`` carries values for programs (all JSON).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar


class ModelyardError(Exception):
    """Root of the tree: catch this to catch everything Modelyard raises on purpose.

    Args:
        detail: One or two sentences: which thing, what was expected, what was found, what to do.
        reasons: Single causes, one line each.
        data: JSON values for programs, such as ``{"position": 12}``.
    """

    code: ClassVar[str] = "error"

    def __init__(self, detail: str, *, reasons: Iterable[str] = (), data: Mapping[str, Any] | None = None):
        super().__init__(detail)
        self.detail = detail
        self.reasons: tuple[str, ...] = tuple(reasons)
        self.data: dict[str, Any] = dict(data or {})

    def __str__(self) -> str:
        return "".join([self.detail, *(f"\n  - {reason}" for reason in self.reasons)])

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.detail, self.reasons, self.data)


def _rebuild(
    cls: type[ModelyardError], detail: str, reasons: tuple[str, ...], data: dict[str, Any]
) -> ModelyardError:
    return cls(detail, reasons=reasons, data=data)


class InvalidInput(ModelyardError, ValueError):
    """Something given is malformed or out of range."""

    code = "invalid_input"


class InvalidName(InvalidInput):
    """A model, alias, label, metric or tag name breaks the naming rules."""

    code = "invalid_name"


class InvalidRef(InvalidInput):
    """A reference to a version cannot be parsed."""

    code = "invalid_ref"


class InvalidPath(InvalidInput):
    """A file path inside a version is absolute, escapes, or cannot exist on every file system."""

    code = "invalid_path"


class InvalidQuery(InvalidInput):
    """A filter cannot be parsed or compares unlike types; ``position`` is the 0-based character offset."""

    code = "invalid_query"

    @property
    def position(self) -> int:
        return int(self.data.get("position", 0))


class InvalidConfig(InvalidInput):
    """A configuration file, key or environment variable is unknown or ill-typed."""

    code = "invalid_config"


class InvalidPolicy(InvalidInput):
    """A model's policy names an unknown rule, metric or stage."""

    code = "invalid_policy"


class UnsupportedMediaType(InvalidInput):
    """The body of a request says that it is something else than what is read at that address."""

    code = "unsupported_media_type"


class TooLarge(InvalidInput):
    """A body, a list or a file is larger than the server takes; ``data["limit"]`` says how much it does."""

    code = "too_large"


class QuotaExceeded(TooLarge):
    """There is no more room for this; ``data`` has ``quota`` (the setting), ``limit`` and ``found``."""

    code = "quota_exceeded"


class NotFound(ModelyardError, LookupError):
    """What was named does not exist."""

    code = "not_found"


class ModelNotFound(NotFound):
    """No model has that name."""

    code = "model_not_found"


class VersionNotFound(NotFound):
    """The model exists, that version does not (or is deleted)."""

    code = "version_not_found"


class AliasNotFound(NotFound):
    """The model has no such alias, or nothing holds that stage."""

    code = "alias_not_found"


class BlobNotFound(NotFound):
    """Bytes with that digest are not in the store; ``data["digest"]`` names them."""

    code = "blob_not_found"


class AlreadyExists(ModelyardError, FileExistsError):
    """The name, label or file is taken by something else; the message names the first difference."""

    code = "already_exists"


class Conflict(ModelyardError):
    """A record changed since it was read, or is not what the caller expected. Nothing was written."""

    code = "conflict"


class PreconditionFailed(Conflict):
    """The record is not, or no longer, the one whose ``ETag`` the caller sent as ``If-Match``."""

    code = "precondition_failed"


class NotAllowed(ModelyardError, ValueError):
    """A rule of the registry forbids it."""

    code = "not_allowed"


class TransitionNotAllowed(NotAllowed):
    """The lifecycle table has no such move; ``data["legal"]`` lists the stages that are reachable."""

    code = "transition_not_allowed"


class GateRefused(NotAllowed):
    """At least one gate failed; ``reasons`` has one line per failed rule, ``data["verdict"]`` all of them."""

    code = "gate_refused"


class BumpRefused(NotAllowed):
    """The requested version step is smaller than the change of the signature calls for."""

    code = "bump_refused"


class Protected(NotAllowed):
    """An alias, stage, deployment, approval or hold still reaches it; ``reasons`` names each."""

    code = "protected"


class PermissionDenied(NotAllowed, PermissionError):
    """The caller's role does not permit the action."""

    code = "permission_denied"


class NotAuthenticated(ModelyardError):
    """No credential was given, or one that is unknown, expired or revoked."""

    code = "not_authenticated"


class RateLimited(ModelyardError):
    """Too many calls in too short a time. ``data["retry_after"]``: seconds after which the next may come."""

    code = "rate_limited"


class Overloaded(RateLimited):
    """The server has its hands full or is being stopped; nothing was begun."""

    code = "overloaded"


class LoadRefused(ModelyardError):
    """The load contract refuses: nothing was deserialised. ``data["globals"]`` names what is not trusted."""

    code = "load_refused"


class IntegrityError(ModelyardError):
    """Stored data is not what was written."""

    code = "integrity"


class BlobDamaged(IntegrityError):
    """Bytes do not match their digest; ``data`` has ``digest``, ``expected`` and ``found``."""

    code = "blob_damaged"


class AuditBroken(IntegrityError):
    """The event chain is broken; ``data`` has ``model`` and the ``sequence`` of the first bad entry."""

    code = "audit_broken"


class StorageError(ModelyardError, OSError):
    """The disk or the database refused: read-only, gone, locked, out of handles."""

    code = "storage"


class StorageFull(StorageError):
    """No space or quota left."""

    code = "storage_full"


class Unreachable(StorageError, ConnectionError):
    """The server did not answer: not there, gone while answering, or no server at all."""

    code = "unreachable"


class MissingDependency(ModelyardError, ImportError):
    """An optional package is needed; the message names the extra to install."""

    code = "missing_dependency"


class NotSupported(ModelyardError, NotImplementedError):
    """A documented limit."""

    code = "not_supported"


class MethodNotAllowed(NotSupported):
    """The address is there, with other methods; ``data["allow"]`` names them."""

    code = "method_not_allowed"


class ModelyardWarning(UserWarning):
    """Root of the warnings: something goes on that somebody should see."""


class EnvironmentMismatch(ModelyardWarning):
    """A model is about to be loaded with another interpreter or other packages than it was made with."""


class GitUnavailable(ModelyardWarning):
    """Something that git was asked for was done without it: there is no work tree, no commit or no git program."""
