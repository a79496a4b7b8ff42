"""A provider, a server that asks it, and a browser: what most of these tests begin with."""

import pytest

from .provider import providing
from .room import browsing, registry, serving


@pytest.fixture
def provider():
    with providing() as found:
        yield found


@pytest.fixture
def service():
    return registry()


@pytest.fixture
def url(service, provider):
    with serving(service, provider) as found:
        yield found


@pytest.fixture
def browser(url):
    with browsing(url) as found:
        yield found
