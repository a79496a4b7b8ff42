"""Moving a whole registry from one pair of stores to another, named by addresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelyard.domain.errors import InvalidInput, NotFound, NotSupported
from modelyard.service.local import LocalService
from modelyard.service.migration import Migrated, Side, Watch, look, migrate
from modelyard.settings import Settings
from modelyard.wiring import is_made, settle, stores_at


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


def end_at(settings: Settings, location: str) -> End:
    """One end by its address.

    Raises:
        InvalidConfig: The address has the wrong form.
        NotSupported: It is a server's, or nothing's that outlives this process.
    """
    settings, place = settle(settings, location)
    if place.startswith(("http://", "https://")):
        raise NotSupported(
            f"{place} is a server, which does not let its stores out of its hands: run this where its database and its "
            "bytes can be reached, and name those"
        )
    if place == "memory://":
        raise NotSupported("memory:// ends with this process; name a folder or a database")
    return End(settings=settings, place=place if "://" in place else str(Path(place).expanduser().absolute()))


def move(source: End, target: End, *, deep: bool, dry_run: bool, watch: Watch) -> Migrated:
    """Make the target the same registry as the source, or say what that would take.

    Raises:
        InvalidInput: Both are one place.
        NotFound: There is no registry at the source.
        ModelyardError: As ``service.migration.migrate`` and ``look``.
    """
    if _same(source, target):
        raise InvalidInput(f"{source.shown} is named twice; the target has to be another place")
    if not is_made(source.settings, source.place):
        raise NotFound(f"there is no registry at {source.shown}; name another one with --from")
    with _opened(source) as theirs:
        if dry_run and not is_made(target.settings, target.place):
            return _named(look(theirs, None, watch=watch), target)
        with _opened(target) as ours:
            if dry_run:
                return look(theirs, ours, watch=watch)
            return migrate(theirs, ours, deep=deep, watch=watch)


def _named(found: Migrated, target: End) -> Migrated:
    from dataclasses import replace

    return replace(found, target=target.shown)


def _same(source: End, target: End) -> bool:
    """Whether both are one database; the rest of a wrong pair is noticed by what the target holds."""
    return source.place == target.place and source.settings.database == target.settings.database


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
