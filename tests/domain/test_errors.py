"""The tree of errors: one root, one code each, and the built-in that a Python programmer expects."""

import copy
import pickle

import pytest

from modelyard.domain import errors
from modelyard.domain.errors import ModelyardError

ALL = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ModelyardError)),
    key=lambda kind: kind.__name__,
)
BUILT_IN = {
    "InvalidInput": ValueError,
    "NotFound": LookupError,
    "AlreadyExists": FileExistsError,
    "NotAllowed": ValueError,
    "PermissionDenied": PermissionError,
    "StorageError": OSError,
    "MissingDependency": ImportError,
    "NotSupported": NotImplementedError,
}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_says_what_it_was_told_and_survives_a_journey(kind):
    error = kind("which thing; what to do", reasons=["a", "b"], data={"n": 1})
    assert (str(error), error.detail, error.reasons, error.data) == (
        "which thing; what to do\n  - a\n  - b",
        "which thing; what to do",
        ("a", "b"),
        {"n": 1},
    )
    for travelled in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(travelled) is kind
        assert (travelled.detail, travelled.reasons, travelled.data) == (
            error.detail,
            error.reasons,
            error.data,
        )


def test_an_error_without_reasons_is_its_detail():
    assert str(ModelyardError("which thing")) == "which thing"


def test_codes_are_stable_words_and_never_shared():
    codes = [kind.code for kind in ALL]
    assert len(set(codes)) == len(codes)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)


@pytest.mark.parametrize(("name", "kind"), BUILT_IN.items())
def test_errors_are_the_built_ins_that_are_expected(name, kind):
    assert issubclass(getattr(errors, name), kind)


def test_every_error_is_named_in_the_tree_at_the_top():
    missing = [kind.__name__ for kind in ALL if kind.__name__ not in (errors.__doc__ or "")]
    assert missing == []


def test_a_query_error_knows_its_place():
    assert errors.InvalidQuery("x", data={"position": 12}).position == 12
    assert errors.InvalidQuery("x").position == 0
