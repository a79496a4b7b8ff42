"""Every error has its number, and the help says which."""

from __future__ import annotations

import inspect

import pytest

from modelyard.cli import exits
from modelyard.domain import errors

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.ModelyardError) and kind is not errors.ModelyardError
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_of_the_tree_has_a_documented_code_of_its_own(kind: type[errors.ModelyardError]) -> None:
    assert exits.exit_code(kind("no")) not in (exits.OK, exits.UNEXPECTED)
    assert exits.exit_code(kind("no")) in exits.MEANINGS


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidQuery("x"), 2),
        (errors.VersionNotFound("x"), 3),
        (errors.GateRefused("x"), 4),
        (errors.PermissionDenied("x"), 4),
        (errors.LoadRefused("x"), 4),
        (errors.AlreadyExists("x"), 5),
        (errors.Conflict("x"), 5),
        (errors.BlobDamaged("x"), 6),
        (errors.BlobNotFound("x"), 6),
        (errors.StorageFull("x"), 7),
        (ZeroDivisionError(), 1),
    ],
)
def test_codes_follow_the_tree(error: Exception, code: int) -> None:
    assert exits.exit_code(error) == code
