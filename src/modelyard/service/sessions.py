"""People who logged in: their sessions opened, recognised and ended, and codes exchanged for tokens.

No secret is in a record, an event or a log.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelyard.domain import leftovers, sessions
from modelyard.domain.errors import Conflict, NotAuthenticated, NotFound, StorageError
from modelyard.domain.permissions import Principal, check_grants
from modelyard.domain.query import check_limit
from modelyard.domain.records import Actor, Receipt
from modelyard.domain.sessions import Person, Session
from modelyard.domain.spelling import quoted
from modelyard.domain.tokens import NewToken, check_owner
from modelyard.ports.access import CreateToken, EndSessions
from modelyard.ports.metadata import (
    Changes,
    Page,
    Put,
    ReceiptKey,
    SessionKey,
    SessionQuery,
    SessionSecretKey,
)
from modelyard.service.access import told_of_registry
from modelyard.service.draft import Draft
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


def list_(service: LocalService, limit: int, after: str | None) -> Page[Session]:
    """Sessions as they may be shown, person by person."""
    page = service.store.find(SessionQuery(limit=check_limit(limit), after=after))
    return replace(page, items=tuple(map(_shown, page.items)))


def end(service: LocalService, request: EndSessions) -> tuple[Session, ...]:
    """End open sessions: one by its id, or all of whoever has a name.

    Raises:
        NotFound: None that is open has that id or belongs to somebody called so.
    """

    def step() -> tuple[tuple[Session, ...], Draft]:
        now = service.clock.now()
        meant = [each for each in _meant(service, request.who) if each.is_open(now)]
        if not meant:
            raise NotFound(
                f"no open session has the id {quoted(request.who)} or belongs to somebody of that name; list the "
                "sessions to see which there are"
            )
        ended = [replace(each, ended_at=now, revision=each.revision + 1) for each in meant]
        draft = told_of_registry(
            service,
            service.actor,
            "session.ended",
            subject=f"session:{meant[0].session_id}",
            before={f"session:{each.session_id}.open": True for each in meant},
            after={key: value for each in meant for key, value in _told(each)},
            reason=request.reason,
        )
        for each in ended:
            draft.put(each)
        return tuple(map(_shown, ended)), draft

    return service.decide(step)


def _told(session: Session) -> Iterator[tuple[str, Any]]:
    key = f"session:{session.session_id}"
    yield f"{key}.open", False
    yield f"{key}.owner", session.owner.name


def _meant(service: LocalService, who: str) -> Iterator[Session]:
    if (found := service.store.get(SessionKey(who))) is not None:
        yield found
        return
    yield from (each for each in every(service.store, SessionQuery()) if each.owner.name == who)


def _shown(session: Session) -> Session:
    """Without what its secret or its program could be recognised by."""
    return replace(session, digest="", challenge="code" if session.challenge else "")


class ServiceSessions:
    """:class:`~modelyard.ports.access.Sessions` over one local service. Thread-safe."""

    def __init__(self, service: LocalService) -> None:
        self._service = service

    # --- opening -----------------------------------------------------------------------------------------------------

    def open(self, person: Person, *, life: timedelta, idle: timedelta, once: str) -> str:
        return self._take(person, once, life=life, idle=idle)

    def open_code(self, person: Person, challenge: str, *, life: timedelta, once: str) -> str:
        # What the token may live for is kept as the idle time: a code itself is over long before it is idle.
        return self._take(person, once, life=sessions.CODE_LIFE, idle=life, challenge=challenge)

    def _take(
        self, person: Person, once: str, *, life: timedelta, idle: timedelta, challenge: str = ""
    ) -> str:
        now = self._service.clock.now()
        secret = sessions.write_secret(secrets.token_bytes(sessions.RANDOM))
        session = Session(
            session_id="",
            digest=sessions.digest_of(secret),
            owner=check_owner(Actor(name=person.name)),
            grants=check_grants(person.grants),
            opened_at=now,
            used_at=now,
            ends_at=now + life,
            idle_seconds=int(idle.total_seconds()),
            challenge=challenge,
        )
        self._service.decide(lambda: (None, self._opened(person, session, once, now)))
        return secret

    def _opened(self, person: Person, session: Session, once: str, now: datetime) -> Draft:
        """The place that is taken, that this login was completed, and an event."""
        if self._service.store.get(_completed(once)) is not None:
            raise NotAuthenticated("this login was completed before; begin again")
        taken = self._places(person.key)
        place = sessions.place_to_take(taken, now)
        before = taken[place]
        kept = replace(
            session,
            session_id=sessions.place_id(person.key, place),
            revision=before.revision + 1 if before else 1,
        )
        draft = self._event(kept, "session.opened", {"kind": "code" if kept.challenge else "session"})
        draft.put(kept)
        for each in sessions.outdated(taken, kept, now):
            draft.put(replace(each, ended_at=now, revision=each.revision + 1))
        draft.put(Receipt(key=_completed(once).key, request="login", result={}, at=now, revision=1))
        return draft

    def _places(self, person: str) -> list[Session | None]:
        ids = (sessions.place_id(person, place) for place in range(sessions.PLACES))
        return [self._service.store.get(SessionKey(each)) for each in ids]

    def _event(self, session: Session, action: str, said: dict[str, Any]) -> Draft:
        key = f"session:{session.session_id}"
        said = said | {
            "grants": [str(grant) for grant in session.grants],
            "ends_at": session.ends_at,
            "open": session.ended_at is None,
        }
        return told_of_registry(
            self._service,
            session.owner,
            action,
            subject=key,
            before={},
            after={f"{key}.{name}": value for name, value in said.items()},
        )

    # --- recognising -------------------------------------------------------------------------------------------------

    def recognise(self, secret: str) -> Principal:
        digest, now = sessions.digest_of(secret), self._service.clock.now()
        found = self._service.store.get(SessionSecretKey(digest))
        session = sessions.require_open(found, digest, now)
        if now - session.used_at >= sessions.USED_EVERY:
            self._note_use(session, now)
        return Principal(actor=session.owner, grants=session.grants, expires_at=session.ends_at)

    def _note_use(self, session: Session, now: datetime) -> None:
        """Somebody else may note it at the same time, and a full disk must lock nobody out."""
        used = replace(session, used_at=now, revision=session.revision + 1)
        with suppress(Conflict, StorageError):
            self._service.store.commit(Changes(puts=(Put(record=used, expected=session.revision),)))

    # --- ending ------------------------------------------------------------------------------------------------------

    def end(self, secret: str, *, everywhere: bool = False) -> None:
        digest = sessions.digest_of(secret)

        def step() -> tuple[bool, Draft | None]:
            now = self._service.clock.now()
            found = self._service.store.get(SessionSecretKey(digest))
            if found is None or not found.is_open(now):
                return False, None
            if everywhere:
                others = [
                    each for each in self._places(found.person) if each is not None and each.is_open(now)
                ]
            else:
                others = [found]
            return True, self._ended(found, others, now)

        self._service.decide(step)

    def _ended(self, session: Session, all_of_them: list[Session], now: datetime) -> Draft:
        draft = self._event(replace(session, ended_at=now), "session.ended", {"sessions": len(all_of_them)})
        for each in all_of_them:
            draft.put(replace(each, ended_at=now, revision=each.revision + 1))
        return draft

    # --- exchanging --------------------------------------------------------------------------------------------------

    def exchange(self, code: str, verifier: str, name: str) -> NewToken:
        digest = sessions.digest_of(code)
        # Used up first: if making the token fails, the code is gone and nobody has two tokens.
        session = self._service.decide(self._use_up(digest, verifier))
        service = self._service.as_actor(session.owner)
        ends = self._service.clock.now() + timedelta(seconds=session.idle_seconds)
        request = CreateToken(
            name=name, grants=session.grants, owner=session.owner, expires_at=ends, reason="login"
        )
        return service.create_token(request)

    def _use_up(self, digest: str, verifier: str) -> Callable[[], tuple[Session, Draft | None]]:
        def step() -> tuple[Session, Draft | None]:
            now = self._service.clock.now()
            found = self._service.store.get(SessionSecretKey(digest))
            session = sessions.require_exchangeable(found, digest, verifier, now)
            return session, self._ended(session, [session], now)

        return step


def _completed(once: str) -> ReceiptKey:
    """Keys of other receipts begin otherwise."""
    return ReceiptKey(f"{leftovers.LOGIN}{once}")
