"""The collector rests while a framework is imported, and never longer."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from modelyard.flavors.uncollected import uncollected


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    gc.enable()


def test_the_collector_rests_inside_and_runs_afterwards() -> None:
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_runs_again_after_an_import_that_failed() -> None:
    with pytest.raises(ImportError), uncollected():
        raise ImportError("absent")
    assert gc.isenabled()


def test_one_that_somebody_turned_off_stays_off() -> None:
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()


def test_an_import_within_an_import_does_not_end_the_rest() -> None:
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
