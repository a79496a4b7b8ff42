"""What every part of the service contract shares: a service, short ways to fill it, and proof that a refusal is one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from modelyard.domain.errors import ModelyardError
from modelyard.domain.records import Event, FileEntry, Model, ModelStage, ModelVersion
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.clock import SettableClock

STAGING, PRODUCTION, ARCHIVED = ModelStage.STAGING, ModelStage.PRODUCTION, ModelStage.ARCHIVED
HARMLESS = b"weights that are nothing but text\n"


def examples(count: int) -> settings:
    """Hypothesis settings for laws that fill one service further with every example, in every subclass."""
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )


class ServiceRoom:
    """Fixtures to give, and helpers to use. ``damage`` and ``rewrite`` reach around the service."""

    follows_progress = True
    """Whether a long check tells how far it is; one that goes on elsewhere may not."""

    @pytest.fixture
    def clock(self) -> SettableClock:
        """The clock that ``service`` uses."""
        return SettableClock()

    @pytest.fixture
    def service(self, clock: SettableClock) -> Iterator[RegistryService]:
        """An empty registry whose actor is called ``ann``."""
        raise NotImplementedError

    @pytest.fixture
    def other(self) -> Iterator[RegistryService]:
        """A second, empty registry, whose clock starts a day later: no identifier is given in both."""
        raise NotImplementedError

    def blob_list(self, service: RegistryService) -> Sequence[str]:
        """Digests of all stored bytes, read around the service."""
        raise NotImplementedError

    def damage(self, service: RegistryService, digest: str, data: bytes | None) -> None:
        """Put other bytes under a digest, or none, around the service, as a failing disk does."""
        raise NotImplementedError

    def rewrite(self, service: RegistryService, model: Model, events: Sequence[Event]) -> None:
        """Make ``events`` the model's whole chain and ``model`` its record, as who holds the database can."""
        pytest.skip("this service's database is out of reach")

    # --- proof of a refusal ------------------------------------------------------------------------------------------

    def snapshot(self, service: RegistryService) -> tuple[Any, ...]:
        """Every record, every event and every stored digest."""
        own = service.history(ask.History(ref="", limit=1000)).items
        return service.export(), own, service.stats(), sorted(self.blob_list(service))

    @contextmanager
    def refused(
        self, service: RegistryService, kind: type[ModelyardError], match: str | None = None
    ) -> Iterator[pytest.ExceptionInfo[ModelyardError]]:
        """The block raises ``kind``, says something, and has changed nothing at all."""
        before = self.snapshot(service)
        with pytest.raises(kind, match=match) as caught:
            yield caught
        assert caught.value.detail.strip(), "a refusal has to say why"
        assert self.snapshot(service) == before

    # --- short ways --------------------------------------------------------------------------------------------------

    def file(self, service: RegistryService, data: bytes = HARMLESS, path: str = "model.txt") -> FileEntry:
        """Store bytes and name them."""
        info = service.put_blob([data])
        return FileEntry(path=path, size=info.size, digest=info.digest)

    def make(
        self, service: RegistryService, name: str = "fraud", data: bytes | None = None, **facts: Any
    ) -> ModelVersion:
        """Register a version, over a file if there are bytes."""
        files = () if data is None else (self.file(service, data),)
        return service.create_version(ask.CreateVersion(name=name, **{"files": files, **facts}))

    def live(
        self, service: RegistryService, name: str = "fraud", data: bytes | None = None, **facts: Any
    ) -> ModelVersion:
        """Register a version and put it into production."""
        return self.move(service, self.make(service, name, data, **facts).model_id, PRODUCTION)

    def move(self, service: RegistryService, ref: str, target: ModelStage, **options: Any) -> ModelVersion:
        """Promote, and return the version as it is then."""
        return service.promote(ask.Promote(ref=ref, target=target, **options)).version

    def policy(self, service: RegistryService, **policy: Any) -> None:
        service.set_policy(ask.SetPolicy(model="fraud", policy=policy))

    def alias(
        self, service: RegistryService, ref: str, alias: str = "champion", **options: Any
    ) -> ModelVersion:
        """Point an alias of ``fraud``."""
        return service.set_alias(ask.SetAlias(model="fraud", alias=alias, ref=ref, **options))

    def log(self, service: RegistryService, ref: str = "fraud") -> tuple[Event, ...]:
        """Events, oldest first."""
        return service.history(ask.History(ref=ref, newest_first=False, limit=1000)).items

    def holder(self, service: RegistryService, ref: str) -> int:
        """The number a reference names."""
        return service.get_version(ref).number


def digest_of(data: bytes) -> str:
    """The address of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
