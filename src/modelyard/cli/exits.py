"""Exit codes: one table from errors to numbers, which ``--help`` and the reference page print."""

from __future__ import annotations

from typing import Final

from modelyard.domain import errors

OK: Final = 0
UNEXPECTED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
REFUSED: Final = 4
CONFLICT: Final = 5
INTEGRITY: Final = 6
STORAGE: Final = 7
INTERRUPTED: Final = 130
"""128 + 2, what a shell reports for a program that Ctrl-C ended."""

MEANINGS: Final[dict[int, str]] = {
    OK: "done",
    UNEXPECTED: "unexpected error (a defect; --debug shows where)",
    USAGE: "wrong usage or invalid input",
    NOT_FOUND: "no such model, version, alias or registry",
    REFUSED: "refused by a rule: gate, lifecycle, protection, load contract",
    CONFLICT: "somebody else was first, or it exists already",
    INTEGRITY: "damage found: bytes or audit chain are not what was stored",
    STORAGE: "the disk, the database or the server refused",
    INTERRUPTED: "interrupted with Ctrl-C",
}

_CODES: Final[dict[type[BaseException], int]] = {
    errors.InvalidInput: USAGE,
    errors.MissingDependency: USAGE,
    errors.NotSupported: USAGE,
    # Nobody names a blob on the command line: one that is missing was promised by a version.
    errors.BlobNotFound: INTEGRITY,
    errors.NotFound: NOT_FOUND,
    errors.NotAllowed: REFUSED,
    errors.LoadRefused: REFUSED,
    errors.NotAuthenticated: REFUSED,
    errors.RateLimited: STORAGE,
    errors.Overloaded: STORAGE,
    errors.AlreadyExists: CONFLICT,
    errors.Conflict: CONFLICT,
    errors.IntegrityError: INTEGRITY,
    errors.StorageError: STORAGE,
}


def exit_code(error: BaseException) -> int:
    """The number for an error: that of its nearest ancestor in the table."""
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), UNEXPECTED)
