"""The one way from a caller to the registry: every call asks for permission first, and without a yes the answer is no.

What a caller may not see is answered like what is not there, in the same words and, as near as can be had, the same
time. What was decided is decided again with the next call: nothing here is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NoReturn, TypeVar

from modelyard.domain import query, refs
from modelyard.domain.errors import (
    BlobNotFound,
    ModelNotFound,
    NotAllowed,
    NotFound,
    NotSupported,
    PermissionDenied,
    VersionNotFound,
)
from modelyard.domain.permissions import OWNER, Action, Principal, can, can_somewhere, require_within, sees
from modelyard.domain.query_lex import TEXT_LENGTH
from modelyard.domain.records import Actor, Model, ModelStage, ModelVersion
from modelyard.domain.spelling import quoted
from modelyard.edge.needs import Kind, Need, needs
from modelyard.edge.views import VIEWS
from modelyard.ports.access import Access, CreateToken, Subject
from modelyard.ports.blobs import BlobInfo
from modelyard.ports.metadata import Page
from modelyard.ports.service import CreateVersion, CreateVersions, RegistryService, Search
from modelyard.wire.operations import BY_NAME, Operation

T = TypeVar("T")
NAMED: Final = 200
"""Models that a search is narrowed to by naming them; a reader of more has the found versions looked through."""

BATCH: Final = 500
"""Records looked through at a time."""


class Guarded:
    """A registry as one caller may use it: the methods of ``RegistryService`` that have a row in the operations table,
    and those about bytes below.

    Args:
        service: Whom to ask, on behalf of the principal.
        principal: Who asks.
    """

    def __init__(self, service: RegistryService, principal: Principal) -> None:
        self.principal = principal
        self.actor: Actor = principal.actor
        self._service = service.as_actor(principal.actor)
        self._owner = OWNER[0] in principal.grants
        self._mine: set[str] = set()

    @property
    def access(self) -> Access:
        raise NotSupported("what is known of callers is not for callers")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        row = BY_NAME.get(name)
        if row is None:
            raise NotSupported(f"{name!r} cannot be asked for over the network")
        return lambda *given, **named: self.call(row, _named(row, given) | named)

    def call(self, row: Operation, given: Mapping[str, Any]) -> Any:
        """The answer of one row.

        Raises:
            PermissionDenied: The caller may not do that.
            NotFound: There is no such thing, or none that the caller may see.
        """
        if self._owner and not isinstance(given.get("request"), CreateToken):
            return getattr(self._service, row.name)(**given)
        for need in needs(row, given):
            self._require(row, need)
        given = self._narrowed(row, given)
        special = _SPECIAL.get(row.name)
        if special is not None and not can(self.principal, Action.READ):
            return special(self, **given)
        try:
            found = getattr(self._service, row.name)(**given)
        except NotAllowed as error:
            if row.name == "link" and not can(self.principal, Action.READ):
                # Its reasons show the whole circle that the link would close, through whatever models it leads.
                raise NotAllowed(error.detail, data=error.data) from None
            raise
        return self._view(row, found)

    # --- permission -------------------------------------------------------------------------------------------------

    def _require(self, row: Operation, need: Need) -> None:
        bound = need.leaves and not can(self.principal, Action.PROMOTE)
        if not bound and self._may(need, None):
            return
        if need.kind is Kind.REF:
            refs.parse(need.what)  # a malformed one is told: that says nothing about what there is
        if need.kind is Kind.REGISTRY:
            self.deny(row.name, need.action, need.kind.value)
        subject = self._subject(need)
        name = subject.model if subject is not None else need.what if need.kind is Kind.NEW else ""
        if not name or not sees(self.principal, name):
            self._hide(row, need)
        allowed = self._may(need, name) and not (
            bound and subject is not None and not self._may_leave(subject, name)
        )
        if need.kind is Kind.NEW:
            allowed = allowed and self._may(need, need.what)
        if not allowed:
            to = f" to {need.stage}" if need.stage is not None else ""
            self.deny(row.name, need.action, f"{name!r}{to}")

    def _may(self, need: Need, model: str | None) -> bool:
        return can(self.principal, need.action, model=model, stage=need.stage) or (
            need.instead is not None and can(self.principal, need.instead, model=model)
        )

    def _may_leave(self, subject: Subject, name: str) -> bool:
        """Taking what is live away is as grave as putting something else there."""
        live = ModelStage.PRODUCTION
        return subject.stage is not live or can(self.principal, Action.PROMOTE, model=name, stage=live)

    def _subject(self, need: Need) -> Subject | None:
        access = self._service.access
        return (
            access.subject_of_experiment(need.what)
            if need.kind is Kind.EXPERIMENT
            else access.subject(need.what)
        )

    def _hide(self, row: Operation, need: Need) -> NoReturn:
        if not sees(self.principal, _asked(need)):
            self._service.access.tell_denied(self.principal, need.action, row.name, need.what)
        kind, word = _ABSENT[need.kind]
        raise kind(
            f"there is no {word} {quoted(need.what)}, or none that {self.principal.actor.name!r} may see"
        )

    def deny(self, operation: str, action: Action, what: str) -> NoReturn:
        """Say no to a known caller, and write it down."""
        self._service.access.tell_denied(self.principal, action, operation, what)
        refuse(self.principal, action, what)

    # --- what is asked ----------------------------------------------------------------------------------------------

    def _narrowed(self, row: Operation, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The call as the caller may make it."""
        request = given.get("request")
        if isinstance(request, CreateToken):
            if request.expires_at is None:
                request = replace(request, expires_at=self.principal.expires_at)
            try:
                require_within(self.principal, request.grants, request.expires_at)
            except PermissionDenied:
                self._service.access.tell_denied(
                    self.principal, row.action, row.name, " and ".join(map(str, request.grants))
                )
                raise
            return {"request": request}
        if isinstance(request, CreateVersion):
            self._require_bytes(request)
        if isinstance(request, CreateVersions):
            for entry in request.versions:
                self._require_bytes(entry)
        return given

    def _require_bytes(self, request: CreateVersion) -> None:
        """To name bytes is to be given them: only who has them may, or who sent them lately."""
        if can(self.principal, Action.DOWNLOAD):
            return
        for entry in request.files:
            if not self._has(entry.digest):
                self._service.access.tell_denied(
                    self.principal, Action.DOWNLOAD, "create_version", entry.digest
                )
                raise BlobNotFound(
                    f"the bytes of {entry.path!r} ({entry.digest}) are not in the store; upload them first",
                    data={"digest": entry.digest},
                )

    # --- what is answered -------------------------------------------------------------------------------------------

    def _view(self, row: Operation, found: Any) -> Any:
        view = VIEWS.get(row.name)
        if view is None or can(self.principal, Action.READ):
            return found
        ids = {item.model_id for item in getattr(found, "items", ())}
        return view(found, self._reads, {model_id: self._model_of(model_id) for model_id in ids})

    def _reads(self, model: str) -> bool:
        return can(self.principal, Action.READ, model=model)

    def _model_of(self, model_id: str) -> str:
        subject = self._service.access.subject(model_id)
        return subject.model if subject is not None else ""

    def _search(self, request: Search) -> Page[ModelVersion]:
        """Only within models that may be read: neither a page's length nor its cursor tells of others."""
        parsed = query.parse(request.text)
        query.check_limit(request.limit)
        if request.model:
            subject = self._service.access.subject(request.model)
            if subject is None or not self._reads(subject.model):
                return Page()
            return self._service.search(request)
        readable = self._readable()
        if readable is not None:
            if not readable:
                return Page()
            within = query.In(query.Field("name"), readable)
            text = query.render_search(query.Search(query.and_(within, parsed.where), parsed.order))
            if len(text) <= TEXT_LENGTH:
                return self._service.search(replace(request, text=text))
        return _through(
            lambda limit, after: self._service.search(replace(request, limit=limit, after=after)),
            lambda version: self._reads(version.name),
            request.limit,
            request.after,
        )

    def _readable(self) -> tuple[str, ...] | None:
        """Names of all models that may be read; ``None``: too many to name."""
        patterns = {grant.models for grant in self.principal.grants if Action.READ in grant.allowed}
        if not any(mark in pattern for pattern in patterns for mark in "*?"):
            named = {subject.model for p in patterns if (subject := self._service.access.subject(p))}
            return tuple(sorted(name for name in named if self._reads(name)))[:NAMED]
        page = self._list_models(limit=NAMED)
        return None if page.next is not None else tuple(model.name for model in page.items)

    def _list_models(self, contains: str = "", limit: int = 100, after: str | None = None) -> Page[Model]:
        query.check_limit(limit)
        return _through(
            lambda size, cursor: self._service.list_models(contains, size, cursor),
            lambda model: self._reads(model.name),
            limit,
            after,
        )

    # --- bytes ------------------------------------------------------------------------------------------------------

    def lacking(self, digests: Iterable[str]) -> list[str]:
        """Which of these bytes have to be sent. What others keep is lacking too, so that nobody learns of it."""
        self.require_somewhere(Action.WRITE)
        wide = can(self.principal, Action.DOWNLOAD)
        return [d for d in digests if not ((wide or self._has(d)) and self._service.has_blob(d))]

    def has_blob(self, digest: str) -> bool:
        """Whether these bytes are there for the caller."""
        return not self.lacking([digest])

    def put_blob(self, chunks: Iterable[bytes], *, digest: str | None = None) -> BlobInfo:
        """Store bytes and remember who sent them."""
        self.require_somewhere(Action.WRITE)
        self.require_room()
        info = self._service.put_blob(chunks, digest=digest)
        self.note_upload(info.digest)
        return info

    def require_room(self) -> None:
        """Refuse bytes while there is no room for more; owners too.

        Raises:
            QuotaExceeded: What is stored has reached its limit.
        """
        self._service.access.require_room()

    def note_upload(self, digest: str) -> None:
        """For bytes that came in another way: the caller sent all of them. Costs a commit where it matters at all."""
        if not can(self.principal, Action.DOWNLOAD):
            self._service.access.note_upload(self.principal.actor, digest)

    def find_blob(self, digest: str) -> BlobInfo | None:
        """What is known of bytes that the caller may have."""
        info = self._service.find_blob(digest)
        allowed = can(self.principal, Action.DOWNLOAD) or self._has(digest)
        return info if allowed else None

    def open_blob(self, digest: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Bytes that the caller may have.

        Raises:
            BlobNotFound: There are none, or the caller may not have them.
        """
        if self.find_blob(digest) is None:
            raise BlobNotFound(f"there are no bytes {quoted(digest)}", data={"digest": digest})
        return self._service.open_blob(digest, start=start, length=length)

    def _has(self, digest: str) -> bool:
        """Whether the caller may download the bytes from some version, or sent them lately."""
        if digest not in self._mine:
            names = self._service.models_with(digest)
            readable = any(can(self.principal, Action.DOWNLOAD, model=name) for name in names)
            if not readable and not self._service.access.uploaded(self.principal.actor, digest):
                return False
            self._mine.add(digest)
        return True

    def require_somewhere(self, action: Action) -> None:
        """Bytes belong to no model until a version names them: who may act on any model may send some.

        Raises:
            PermissionDenied: The caller may do so nowhere.
        """
        if not can_somewhere(self.principal, action):
            self.deny("bytes", action, "anything here")


_ABSENT: Final[Mapping[Kind, tuple[type[NotFound], str]]] = {
    Kind.MODEL: (ModelNotFound, "model"),
    Kind.NEW: (ModelNotFound, "model"),
    Kind.REF: (VersionNotFound, "model or version"),
    Kind.EXPERIMENT: (NotFound, "experiment"),
}
_SPECIAL: Final[Mapping[str, Callable[..., Any]]] = {
    "search": Guarded._search,
    "list_models": Guarded._list_models,
}
"""Questions that are asked otherwise for who may not read everything."""


def refuse(principal: Principal, action: Action, what: str) -> NoReturn:
    """Say no, naming who, what and on what."""
    raise PermissionDenied(
        f"{principal.actor.name!r} may not {action} {what}; ask whoever administers this registry for a role that may",
        data={"action": action.value},
    )


def _asked(need: Need) -> str:
    """The model's name as it was asked for. Where the caller would see one of that name, its absence is no secret."""
    if need.kind is Kind.REF:
        return refs.parse(need.what).model
    return "" if need.kind is Kind.EXPERIMENT else need.what


def _named(row: Operation, given: tuple[Any, ...]) -> dict[str, Any]:
    if row.request is not None:
        return {"request": given[0]} if given else {}
    return dict(zip(row.parameters, given, strict=False))


def _through(
    ask: Callable[[int, str | None], Page[T]], keep: Callable[[T], bool], limit: int, after: str | None
) -> Page[T]:
    """A page of what may be kept, with a cursor right behind its last item and only if another one follows.

    A cursor of the underlying question may hold what it stopped at. So the one given away is asked for anew, such that
    it stops at an item that the reader saw.
    """
    kept: list[T] = []
    cursor, last = after, (after, 0)
    while True:
        page = ask(BATCH, cursor)
        for place, item in enumerate(page.items, 1):
            if not keep(item):
                continue
            if len(kept) == limit:
                start, size = last
                return Page(items=tuple(kept), next=ask(size, start).next)
            kept.append(item)
            last = (cursor, place)
        if (cursor := page.next) is None:
            return Page(items=tuple(kept))
