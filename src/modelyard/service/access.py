"""Who may call: tokens made, listed, revoked and recognised; what was refused, written down.

A secret is in no record, no event and no log. Uses are no events: they are written beside the chain, once a minute.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from modelyard.domain import events, leftovers, tokens
from modelyard.domain.canonical import fingerprint
from modelyard.domain.errors import (
    Conflict,
    InvalidInput,
    ModelyardError,
    NotFound,
    NotSupported,
    StorageError,
)
from modelyard.domain.names import check_digest, is_id
from modelyard.domain.permissions import OWNER, Action, Principal, check_grants
from modelyard.domain.query import check_limit
from modelyard.domain.quota import Denials
from modelyard.domain.records import EMPTY, Actor, Receipt, Registry
from modelyard.domain.spelling import quoted
from modelyard.domain.tokens import NewToken, Token
from modelyard.ports.access import CreateToken, RevokeToken, Subject
from modelyard.ports.metadata import (
    Changes,
    Page,
    Put,
    ReceiptKey,
    RegistryKey,
    SecretKey,
    TokenKey,
    TokenQuery,
)
from modelyard.service import experiments, resolve
from modelyard.service.draft import Draft
from modelyard.service.pages import every
from modelyard.service.quota import Room

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

LOG = logging.getLogger("modelyard")
FIRST_LIFE: Final = timedelta(days=7)
"""How long the token of the first administrator lives: long enough to make a better one."""


# --- making and ending -----------------------------------------------------------------------------------------------


def create(service: LocalService, request: CreateToken) -> NewToken:
    """Make a token; the answer holds its secret, which cannot be had again."""
    now = service.clock.now()
    tokens.check_expiry(request.expires_at, now)
    token = Token(
        token_id=service.clock.new_id(),
        name=tokens.check_name(request.name),
        owner=tokens.check_owner(request.owner or service.actor),
        grants=check_grants(request.grants),
        created_at=now,
        created_by=service.actor.name,
        expires_at=request.expires_at,
        revision=1,
    )
    return _make(service, token, request.reason, first=False)[0]


def _make(service: LocalService, token: Token, reason: str, *, first: bool) -> tuple[NewToken, bool]:
    """Commit a token under a new secret; ``first``: only while there is no other."""
    secret = tokens.write_secret(secrets.token_bytes(tokens.RANDOM))
    kept = replace(token, digest=tokens.digest_of(secret))

    def step() -> tuple[bool, Draft | None]:
        # The registry's record is read first: who else makes a token moves it on, and this commit conflicts.
        draft = _draft(service, kept, "token.created", after=_told(kept), reason=reason)
        if first and service.store.find(TokenQuery(limit=1)).items:
            return False, None
        return True, draft

    return NewToken(token=token, secret=secret), service.decide(step)


def list_(service: LocalService, limit: int, after: str | None) -> Page[Token]:
    """Tokens as they may be shown, in the order in which they were made."""
    page = service.store.find(TokenQuery(limit=check_limit(limit), after=after))
    return replace(page, items=tuple(replace(token, digest="") for token in page.items))


def revoke(service: LocalService, request: RevokeToken) -> Token:
    """End a token; one that is revoked stays as it is.

    Raises:
        NotFound: There is none with that id or name.
        InvalidInput: Several valid ones have that name.
    """

    def step() -> tuple[Token, Draft | None]:
        token = _meant(service, request.token)
        if token.revoked_at is not None:
            return token, None
        ended = replace(
            token,
            revoked_at=service.clock.now(),
            revoked_by=service.actor.name,
            revision=token.revision + 1,
        )
        draft = _draft(
            service,
            ended,
            "token.revoked",
            before={"revoked": False},
            after=_told(ended),
            reason=request.reason,
        )
        return ended, draft

    return replace(service.decide(step), digest="")


def _meant(service: LocalService, word: str) -> Token:
    if is_id(word) and (token := service.store.get(TokenKey(word.lower()))) is not None:
        return token
    now = service.clock.now()
    named = [t for t in every(service.store, TokenQuery()) if t.name == word and t.state(now) == "valid"]
    if len(named) > 1:
        raise InvalidInput(
            f"{len(named)} valid tokens are named {quoted(word)}; name one by its id: "
            + ", ".join(token.token_id for token in named)
        )
    if not named:
        raise NotFound(
            f"no valid token has the id or name {quoted(word)}; list the tokens to see which there are"
        )
    return named[0]


def _told(token: Token) -> dict[str, Any]:
    """What an event says of a token: everything but its secret and the digest of that."""
    return {
        "name": token.name,
        "owner": token.owner.name,
        "kind": token.owner.kind,
        "grants": [str(grant) for grant in token.grants],
        "expires_at": token.expires_at,
        "revoked": token.revoked_at is not None,
    }


def _draft(
    service: LocalService,
    token: Token,
    action: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any],
    reason: str,
) -> Draft:
    """A token's record and an event in the registry's own chain."""
    key = f"token:{token.token_id}"
    draft = told_of_registry(
        service,
        service.actor,
        action,
        subject=key,
        before={f"{key}.{name}": value for name, value in (before or {}).items()},
        after={f"{key}.{name}": value for name, value in after.items()},
        reason=reason,
    )
    draft.put(token)
    return draft


def told_of_registry(service: LocalService, actor: Actor, action: str, **said: Any) -> Draft:
    """An event in the registry's own chain."""
    registry: Registry | None = service.store.get(RegistryKey())
    if registry is None:
        raise NotSupported("this registry has no record of itself yet; open it once with the right to write")
    moved, event = events.append(registry, now=service.clock.now(), actor=actor, action=action, **said)
    draft = Draft()
    draft.put(moved)
    draft.log.append(event)
    return draft


# --- recognising -----------------------------------------------------------------------------------------------------


class ServiceAccess:
    """:class:`~modelyard.ports.access.Access` over one local service. Thread-safe."""

    def __init__(self, service: LocalService) -> None:
        self._service = service
        self._denials = Denials()
        self._room = Room(service)

    def recognise(self, secret: str) -> Principal:
        digest = tokens.digest_of(secret)
        now = self._service.clock.now()
        token = tokens.require_valid(self._service.store.get(SecretKey(digest)), digest, now)
        if token.used_at is None or abs(now - token.used_at) >= tokens.USED_EVERY:
            self._note_use(token, now)
        return Principal(
            actor=token.owner,
            grants=token.grants,
            token_id=token.token_id,
            expires_at=None if token.first else token.expires_at,
        )

    def _note_use(self, token: Token, now: datetime) -> None:
        """Somebody else may note it at the same time, and a full disk must lock nobody out."""
        used = replace(token, used_at=now, revision=token.revision + 1)
        with suppress(Conflict, StorageError):
            self._service.store.commit(Changes(puts=(Put(record=used, expected=token.revision),)))

    def first_token(self) -> NewToken | None:
        service = self._service
        now = service.clock.now()
        token = Token(
            token_id=service.clock.new_id(),
            name="first administrator",
            owner=service.actor,
            grants=OWNER,
            created_at=now,
            created_by=service.actor.name,
            expires_at=now + FIRST_LIFE,
            first=True,
            revision=1,
        )
        made, won = _make(service, token, "first start", first=True)
        return made if won else None

    # --- refused -----------------------------------------------------------------------------------------------------

    def tell_denied(self, principal: Principal, action: Action, operation: str, about: str) -> None:
        LOG.warning("denied: %r may not %s %r (%s)", principal.actor.name, action, about, operation)
        now = self._service.clock.now()
        left_out = self._denials.admit(f"{principal.actor.kind}:{principal.actor.name}", now)
        if left_out is None:
            return
        said = {"action": action.value, "about": about[:200], "left_out": left_out}
        with suppress(
            ModelyardError
        ):  # what was refused stays refused, whether it can be written down or not
            self._service.decide(lambda: (None, self._denied(principal, operation, said)))

    def _denied(self, principal: Principal, operation: str, said: dict[str, Any]) -> Draft:
        subject = f"token:{principal.token_id}" if principal.token_id else f"actor:{principal.actor.name}"
        return told_of_registry(
            self._service,
            principal.actor,
            "call.denied",
            subject=subject,
            before=EMPTY,
            after={f"denied:{operation}.{name}": value for name, value in said.items()},
        )

    # --- what something is about -------------------------------------------------------------------------------------

    def subject(self, ref: str) -> Subject | None:
        return resolve.subject(self._service, ref)

    def subject_of_experiment(self, experiment: str) -> Subject | None:
        try:
            return Subject(model=experiments.get(self._service, experiment).model)
        except (InvalidInput, NotFound):
            return None

    # --- room ---------------------------------------------------------------------------------------------------------

    def require_room(self) -> None:
        self._room.require()

    # --- possession --------------------------------------------------------------------------------------------------

    def note_upload(self, actor: Actor, digest: str) -> None:
        now = self._service.clock.now()

        def step() -> tuple[None, Draft | None]:
            present = self._service.store.get(_upload_key(actor, digest))
            draft = Draft()
            draft.put(
                Receipt(
                    key=_upload_key(actor, digest).key,
                    request="upload",
                    result={"digest": digest},
                    at=now,
                    revision=present.revision + 1 if present else 1,
                )
            )
            return None, draft

        self._service.decide(step)

    def uploaded(self, actor: Actor, digest: str) -> bool:
        found = self._service.store.get(_upload_key(actor, check_digest(digest)))
        return found is not None and not leftovers.is_past(found, self._service.clock.now())


def _upload_key(actor: Actor, digest: str) -> ReceiptKey:
    """Keys of other receipts begin otherwise, so that no request can forge one of these."""
    return ReceiptKey(f"{leftovers.UPLOAD}{fingerprint([actor.kind, actor.name, digest])}")
