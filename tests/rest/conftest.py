"""What the tests of the REST door share."""

from __future__ import annotations

import pytest

from .serving import running


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for all tests of a file; it asks for tokens."""
    with running(tmp_path_factory.mktemp("served") / "registry") as found:
        found.populate()
        yield found
