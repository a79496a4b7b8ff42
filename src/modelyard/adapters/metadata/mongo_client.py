"""The connection to MongoDB: which options, whose process, and what the driver's errors mean.

* Reads are of what a majority of the members holds, from the primary; writes wait for the journals of a majority. So
  nothing that was answered or acknowledged is lost by a failover.
* Only while no primary can be found at all are reads answered by a secondary, so that a registry that has lost its
  majority can still be read.
* Time limits are those of the address where it sets them; otherwise no call waits for ever.
* Neither the address nor the driver's text about it reaches a message: both may hold a password.
"""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from modelyard.domain.errors import (
    Conflict,
    IntegrityError,
    InvalidConfig,
    InvalidInput,
    MissingDependency,
    ModelyardError,
    NotSupported,
    StorageError,
    StorageFull,
)

T = TypeVar("T")
_log = logging.getLogger("modelyard")

SCHEMES: Final = ("mongodb://", "mongodb+srv://")
DATABASE: Final = "modelyard"
"""Name of the database where the address names none."""

APPLICATION: Final = "modelyard"
MAJORITY_MILLISECONDS: Final = 30_000
"""How long a commit waits for the majority before it counts as in doubt."""

_DEFAULTS: Final[dict[str, Any]] = {
    "appname": APPLICATION,
    "connecttimeoutms": 5_000,
    "serverselectiontimeoutms": 10_000,
    "sockettimeoutms": 60_000,
    "waitqueuetimeoutms": 10_000,
}
"""Milliseconds; a server ends a transaction after 60 s by itself."""

SNAPSHOT_SECONDS: Final = 20.0
"""For how long a read waits for a primary that has only just begun to know what a majority holds."""
_PAUSE: Final = 0.02
_NO_SNAPSHOT: Final = 246
"""``SnapshotUnavailable`` (MongoDB, error_codes.yml): transactions are repeated for it, reads are not by the driver."""

DEGRADED_SECONDS: Final = 15.0
"""For how long reads do without a primary, where there is none, before they wait for one again."""

_abandoned: list[Any] = []
"""Clients inherited over a fork: never used and never closed, since their sockets are the parent's."""


class Client:
    """One database behind an address. Thread-safe; a forked child connects anew.

    Args:
        url: ``mongodb://[user:password@]host[:port][,host...][/database][?options]`` or ``mongodb+srv://...``.
        database: Name of the database, instead of the address's.
        pool_size: Most connections to one server; the driver's default where ``None``.
    """

    def __init__(self, url: str, *, database: str | None = None, pool_size: int | None = None) -> None:
        self._url = url
        self._pool_size = pool_size
        hosts, named = _parts(url)
        self.name = database or named or DATABASE
        self.shown = f"MongoDB database {self.name!r} at {hosts}"
        self._client: Any = None
        self._pid = os.getpid()
        self._closed = False
        self._degraded_until = -math.inf

    @property
    def database(self) -> Any:
        """The database, led by its primary, with the concerns that a registry needs.

        Raises:
            StorageError: The store was closed.
            MissingDependency: The driver is not installed.
            InvalidConfig: The driver does not understand the address.
        """
        self._here()
        if self._client is None:
            self._client = self._connected()
        from pymongo import ReadPreference

        return self._with(ReadPreference.PRIMARY)

    def _with(self, preference: Any) -> Any:
        return self._client.get_database(
            self.name,
            read_preference=preference,
            read_concern=concern("majority"),
            write_concern=durable(),
        )

    def _here(self) -> None:
        if self._pid != os.getpid():
            _abandoned.append(self._client)
            self._client, self._pid = None, os.getpid()
        if self._closed:
            raise StorageError(f"the metadata store {self.shown} was closed: open the registry again")

    def _connected(self) -> Any:
        try:
            import pymongo
            from pymongo.errors import PyMongoError
        except ImportError as error:
            raise MissingDependency(
                "a registry in MongoDB needs pymongo: pip install 'modelyard[mongodb]'"
            ) from error
        options = dict(_DEFAULTS)
        if self._pool_size is not None:
            options["maxpoolsize"] = self._pool_size
        try:
            given = _option_names(self._url.partition("?")[2])
            return pymongo.MongoClient(self._url, **{n: v for n, v in options.items() if n not in given})
        except (PyMongoError, ValueError, TypeError) as error:
            # Without the driver's own words: they may repeat a part of the address that is a password.
            raise InvalidConfig(
                f"{self.shown}: the driver does not take this address ({type(error).__name__}): {_EXPECTED}"
            ) from None

    def read(self, work: Callable[[Any], T]) -> T:
        """What ``work`` reads from the database, from a secondary where no primary can be found.

        Raises:
            StorageError: The database does not answer.
        """
        with self.translated():
            return with_a_snapshot(lambda: self._read(work))

    def _read(self, work: Callable[[Any], T]) -> T:
        from pymongo import ReadPreference
        from pymongo.errors import ConnectionFailure

        preferred = ReadPreference.PRIMARY_PREFERRED
        if self._pid == os.getpid() and time.monotonic() < self._degraded_until:
            return work(self._with(preferred))
        try:
            return work(self.database)
        except ConnectionFailure:
            members = self._client.topology_description
            if members.has_writable_server() or not members.has_readable_server(preferred):
                raise
            self._degraded_until = time.monotonic() + DEGRADED_SECONDS
            _log.warning("%s has no primary: only reading, what may be some seconds old", self.shown)
            return work(self._with(preferred))

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A session, ended afterwards."""
        with self.database.client.start_session() as session:
            yield session

    def close(self) -> None:
        """Close all connections; calls still running fail."""
        self._closed = True
        if self._client is not None and self._pid == os.getpid():
            self._client.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the driver's errors into ours, naming the database and the likely remedy."""
        try:
            yield
        except ModelyardError:
            raise
        except UnicodeDecodeError as error:
            raise IntegrityError(f"{self.shown}: stored text is damaged ({error.reason})") from error
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"text cannot be stored: {error.reason} at {error.start}; expected valid Unicode"
            ) from error
        except OverflowError as error:
            raise InvalidInput("a whole number takes more than the 64 bits that MongoDB stores") from error
        except Exception as error:
            if (ours := self._ours(error)) is None:
                raise
            raise ours from error

    def _ours(self, error: Exception) -> ModelyardError | None:
        from bson.errors import BSONError, InvalidBSON
        from pymongo import errors

        if isinstance(error, InvalidBSON):
            return IntegrityError(f"{self.shown}: a stored document is damaged; restore a backup")
        if isinstance(error, errors.DocumentTooLarge) or _code(error) in _TOO_LARGE:
            return NotSupported(_LARGE)
        if isinstance(error, BSONError):
            return InvalidInput(f"a record cannot be stored: {error}")
        if not isinstance(error, errors.PyMongoError):
            return None
        if _code(error) in _CAUSES:
            make, hint = _CAUSES[_code(error)]
            return make(f"{self.shown}: {words(error)}; {hint}")
        if isinstance(error, errors.ConnectionFailure):
            return StorageError(
                f"{self.shown} does not answer: {words(error)}; check that it runs, has a primary and can be reached, "
                "then try again"
            )
        return StorageError(f"{self.shown}: {words(error)}")


_EXPECTED: Final = (
    "expected mongodb://user:password@host:27017/database?replicaSet=name or mongodb+srv://..., with : / ? # [ ] @ % "
    "in the user name and password written as %3A and so on"
)
_HOST: Final = r"(?:[^@/?:,\[\]]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?"
_ADDRESS: Final = re.compile(
    rf"mongodb(?:\+srv)?://(?:[^@/?]*@)?(?P<hosts>{_HOST}(?:,{_HOST})*)(?:/(?P<name>[^?@]*))?(?:\?[^@]*)?"
)
"""With no ``@`` but the one before the hosts, so that no part of a password is ever taken for a host."""


def _parts(url: str) -> tuple[str, str]:
    """Hosts and database of an address, without what may be secret.

    Raises:
        InvalidConfig: It has another form.
    """
    found = _ADDRESS.fullmatch(url)
    if found is None:  # nothing of it is repeated: where a password ends is anybody's guess
        raise InvalidConfig(f"the address of the database is none of MongoDB's: {_EXPECTED}")
    return found["hosts"], unquote(found["name"] or "")


def _option_names(options: str) -> set[str]:
    """What an address sets, in lower case: the driver would let an argument win over it.

    Raises:
        ValueError: An option is unknown or malformed; the driver alone would warn and go on without (``tls=yes``).
        pymongo.errors.ConfigurationError: Likewise.
    """
    from pymongo.uri_parser import split_options

    if options:
        split_options(options, validate=True, warn=False)
    return {pair.partition("=")[0].lower() for pair in re.split("[&;]", options)}


def with_a_snapshot(read: Callable[[], T]) -> T:
    """What ``read`` gives, asked again while the server has no snapshot to read from: it was elected a moment ago.

    Raises:
        pymongo.errors.OperationFailure: It still has none after ``SNAPSHOT_SECONDS``, or something else is wrong.
    """
    deadline = time.monotonic() + SNAPSHOT_SECONDS
    while True:
        try:
            return read()
        except Exception as error:
            if _code(error) != _NO_SNAPSHOT or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def concern(level: str) -> Any:
    """``majority`` for what cannot be lost any more, ``snapshot`` for all of it at one moment."""
    from pymongo.read_concern import ReadConcern

    return ReadConcern(level)


def durable() -> Any:
    """In the journals of a majority before it is acknowledged."""
    from pymongo import WriteConcern

    return WriteConcern("majority", j=True, wtimeout=MAJORITY_MILLISECONDS)


def words(error: Any) -> str:
    """What the server or driver says, without the state of everything that the driver adds."""
    details = getattr(error, "details", None)
    text = details.get("errmsg") if isinstance(details, Mapping) else None
    return _NOISE.split(str(text or error))[0]


_NOISE: Final = re.compile(r",? \(configured timeouts:|, Timeout:|, full error:")


def _code(error: Any) -> int:
    return getattr(error, "code", None) or 0


_TOO_LARGE: Final = (10334, 17280)
_LARGE: Final = (
    "a record takes more than the 16 MiB that MongoDB stores in one document; give the version fewer files or smaller "
    "attributes (an archive of many small files is one file)"
)
_LOGIN: Final = "the user name or password was refused: check both, and `authSource` in the address"
_CAUSES: Final[dict[int, tuple[type[ModelyardError], str]]] = {
    18: (StorageError, _LOGIN),
    8000: (StorageError, _LOGIN),
    13: (StorageError, "this user lacks a right: grant it the role `readWrite` on the database"),
    20: (
        NotSupported,
        "a registry needs a replica set (of one member is enough): start mongod with `--replSet`",
    ),
    14031: (StorageFull, "free some space and try again; nothing was changed"),
    11000: (Conflict, "read again and decide again"),
    112: (Conflict, "read again and decide again"),
}
"""By the server's error code: our class, and what to do."""
