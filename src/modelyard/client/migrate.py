"""Moving a whole registry from one pair of stores to another, named by addresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from modelyard.domain.errors import InvalidInput, NotFound, NotSupported
from modelyard.service.local import LocalService
from modelyard.service.migration import Migrated, Side, Watch, look, migrate
from modelyard.settings import Settings
from modelyard.settings.model import DatabaseSettings
from modelyard.wiring import DATABASE, is_made, is_older, settle, stores_at


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a migration.

    Attributes:
        settings: What is configured for it, its address written in.
        place: Where it is, without credentials.
    """

    settings: Settings
    place: str

    @property
    def shown(self) -> str:
        """The place, with the database where the place is only the folder of the bytes."""
        from modelyard.adapters.places import shown

        database = self.settings.database
        if "://" in self.place or not (database.url or database.host or database.name):
            return self.place
        name = (
            shown(database.url)
            if database.url
            else f"{database.type}://{database.host or 'localhost'}/{database.name}"
        )
        return f"{name}?storage={self.place}"


def end_at(settings: Settings, location: str, *, own: bool) -> End:
    """One end by its address.

    Args:
        settings: What is configured.
        location: A folder or an address.
        own: Whether that was read from a file for this end alone. What no such file says of databases and buckets does
            not count for a folder or an SQLite file: an installation's are not what somebody means who names those.

    Raises:
        InvalidConfig: The address has the wrong form.
        NotSupported: It is a server's, or nothing's that outlives this process.
    """
    if location.startswith("sqlite") or "://" not in location:
        settings = _plain(settings, own=own)
    settings, place = settle(settings, location)
    if place.startswith(("http://", "https://")):
        raise NotSupported(
            f"{place} is a server, which does not let its stores out of its hands: run this where its database and its "
            "bytes can be reached, and name those"
        )
    if place == "memory://":
        raise NotSupported("memory:// ends with this process; name a folder or a database")
    return End(settings=settings, place=place if "://" in place else str(Path(place).expanduser().absolute()))


def _plain(settings: Settings, *, own: bool) -> Settings:
    """Without a database and with bytes in a folder, unless the end's own file has a section for them.

    The keys of a bucket stay for an address that names one.
    """
    of_file = {key.partition(".")[0] for key, origin in settings.sources if own and ":" in origin}
    if "database" not in of_file:
        settings = replace(settings, database=DatabaseSettings())
    if "storage" not in of_file:
        settings = replace(settings, storage=replace(settings.storage, backend="local", buckets=()))
    return settings


def move(source: End, target: End, *, deep: bool, dry_run: bool, watch: Watch) -> Migrated:
    """Make the target the same registry as the source, or say what that would take.

    Raises:
        InvalidInput: Both are one place.
        NotFound: There is no registry at the source.
        NotSupported: An older version made what is not to be changed: the source, or with ``dry_run`` either end.
        ModelyardError: As ``service.migration.migrate`` and ``look``.
    """
    if _same(source, target):
        raise InvalidInput(f"{source.shown} is named twice; the target has to be another place")
    if not is_made(source.settings, source.place):
        raise NotFound(f"there is no registry at {source.shown}; name another one with --from")
    _refuse_older(source)
    if dry_run:
        _refuse_older(target)
    with _opened(source) as theirs:
        if dry_run and not is_made(target.settings, target.place):
            return _named(look(theirs, None, watch=watch), target)
        with _opened(target) as ours:
            if dry_run:
                return look(theirs, ours, watch=watch)
            return migrate(theirs, ours, deep=deep, watch=watch)


def _refuse_older(end: End) -> None:
    """Opening it would upgrade its schema, and older versions could not open it any more."""
    if is_older(end.settings, end.place):
        raise NotSupported(
            f"the registry at {end.shown} was made by an older modelyard, and is not to be changed by this; open it "
            "once with this version first, such as by `modelyard list`, which upgrades it"
        )


def _named(found: Migrated, target: End) -> Migrated:
    return replace(found, target=target.shown)


def _same(source: End, target: End) -> bool:
    """Whether both are one database as far as their names tell; that of two names is noticed by writing to it."""
    return _database(source) == _database(target)


def _database(end: End) -> tuple[object, ...]:
    """What tells databases apart: the file behind all links, or the address without user and password."""
    database = end.settings.database
    url = database.url or ""
    if url.startswith("sqlite:"):
        return (Path(url.partition(":///")[2]).resolve(),)
    if url:
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        return scheme.partition("+")[0], host.rpartition("@")[2] + slash + path
    if database.type != "sqlite":
        return database.type, database.host, database.port, database.name
    return ((Path(end.place) / DATABASE).resolve(),)


@contextmanager
def _opened(end: End) -> Iterator[Side]:
    """The stores of one end. They are not closed as a registry is, which would finish its background duties."""
    service: LocalService = stores_at(end.settings, end.place)
    try:
        yield Side(place=end.shown, service=service)
    finally:
        service.store.close()
        service.blobs.close()
        service.manifests.close()
