"""Records in a database server that many processes share: PostgreSQL, MariaDB or MySQL."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import RLock, local
from typing import Any, Final, TypeVar

from modelyard.adapters.metadata import statements_sqlite as sql
from modelyard.adapters.metadata.changes import check_form
from modelyard.adapters.metadata.looked import Looked
from modelyard.adapters.metadata.rows import digest, dump, encode_event
from modelyard.adapters.metadata.sessions import PATIENCE, Engine, Pool, Session
from modelyard.adapters.metadata.sql_check import findings
from modelyard.adapters.metadata.sql_records import SqlRecords
from modelyard.adapters.metadata.sql_write import Writer
from modelyard.domain.errors import InvalidInput, ModelyardError, NotSupported, StorageError
from modelyard.domain.names import fold
from modelyard.ports.metadata import Changes

T = TypeVar("T")

_SCHEMA: Final = "SELECT version_num FROM alembic_version"
_FENCE: Final = "SELECT position FROM event_log WHERE id = 1 FOR UPDATE"
_EVENT: Final = "SELECT row_digest FROM events WHERE model_key = :model_key AND sequence = :sequence"
_log = logging.getLogger("modelyard")


class _Lost(Exception):
    """The connection went away; ``doubtful`` if the commit was already on its way."""

    def __init__(self, error: ModelyardError, *, doubtful: bool) -> None:
        super().__init__(error.detail)
        self.error = error
        self.doubtful = doubtful


class ServerMetadata(SqlRecords):
    """A :class:`~modelyard.ports.metadata.MetadataStore` on a database server.

    Thread-safe and safe for any number of processes and hosts. Transactions are READ COMMITTED: records are compared
    and set by their revision, which locks their rows; guards and event positions are taken care of by one short turn
    at the end of each commit (``sql_write.Writer``). A connection that is found dead is replaced once, so a failover
    costs a caller nothing but time.

    Args:
        engine: The server.
        pool_size: Most connections at a time.
    """

    def __init__(self, engine: Engine, *, pool_size: int) -> None:
        self.engine = engine
        self.dialect = engine.dialect
        self._pool_size = pool_size
        self._pool = Pool(engine, limit=pool_size)
        self._mine = local()
        self._queue = RLock()
        self._words: bool | None = None

    @property
    def place(self) -> str:
        """Where the records are, without credentials."""
        return self.engine.place

    def hurry(self, seconds: float) -> None:
        """Let nobody wait longer for a connection: for callers who had better be told soon."""
        self._pool.wait = seconds

    # --- connections -------------------------------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """This thread's connection if it is alone, else one from the pool."""
        mine: Session | None = getattr(self._mine, "session", None)
        if mine is not None and not mine.broken:
            with self._watched(mine):
                yield mine
            return
        session = self._pool.lend()
        try:
            with self._watched(session):
                yield session
        finally:
            self._pool.give_back(session)

    @contextmanager
    def _watched(self, session: Session) -> Iterator[None]:
        """Notice when the connection is gone, or may be in any state."""
        try:
            yield
        except ModelyardError:
            raise
        except Exception as error:
            session.broken = session.broken or self.engine.is_lost(error, session)
            raise
        except BaseException:
            session.broken = True
            raise

    def _ours(self, error: Exception) -> ModelyardError | None:
        if isinstance(error, UnicodeEncodeError):
            return InvalidInput(
                f"text cannot be stored: {error.reason} at {error.start}; expected valid Unicode"
            )
        return self.engine.ours(error)

    def _tried(self, work: Callable[[Session], T]) -> T:
        """What reads may simply be done again on another connection."""
        for again in (True, False):
            session: Session | None = None
            try:
                with self._session() as session:
                    return work(session)
            except ModelyardError:
                raise
            except Exception as error:
                if again and session is not None and session.broken:
                    self._pool.forget()
                    continue
                self._raise(error)
        raise AssertionError("unreachable")

    def _raise(self, error: Exception) -> None:
        ours = self._ours(error)
        if ours is None:
            raise error
        raise ours from error

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self, work: Callable[[Any], T]) -> T:
        return self._tried(work)

    def _look(self, work: Callable[[Any], T]) -> T:
        def looking(session: Session) -> T:
            self.engine.begin_looking(session)
            try:
                return work(session)
            finally:
                self._undo(session)

        return self._tried(looking)

    def _undo(self, session: Session) -> None:
        try:
            session.execute("ROLLBACK")
        except Exception:
            session.broken = True

    def _has_words(self, connection: Any) -> bool:
        if self._words is None:
            self._words = self.engine.has_words(connection.execute)
        return self._words

    # --- writing -----------------------------------------------------------------------------------------------------

    def commit(self, changes: Changes) -> None:
        """One transaction, durable when it returns.

        Raises:
            Conflict: An expected revision did not hold, a name, number or label is taken, or the database gave way
                to somebody else's transaction.
            StorageError: The database refused or could not be reached; nothing was changed, unless it says that the
                commit is in doubt.
        """
        check_form(changes)
        for again in (True, False):
            try:
                self._attempt(changes)
            except _Lost as lost:
                self._pool.forget()
                if lost.doubtful and self._landed(changes, lost.error):
                    return
                if not again:
                    raise lost.error from lost.__cause__
            else:
                return

    def _attempt(self, changes: Changes, *, politely: bool = True) -> None:
        committing = False
        session: Session | None = None
        try:
            with self._session() as session:
                try:
                    with session.together():
                        self.engine.begin(session, politely=politely)
                        Writer(session, words=False, dialect=self.dialect).apply(changes)
                        # Only who is known to have the turn may be asked for in _landed; and without events nothing
                        # would tell whether an unanswered commit was made. So a COMMIT never travels with others.
                        session.settle()
                        committing = True
                        session.execute("COMMIT")
                except BaseException:
                    self._undo(session)
                    raise
        except ModelyardError:
            raise
        except Exception as error:
            if politely and self.engine.is_impolite(error):
                self._attempt(changes, politely=False)
                return
            ours = self._ours(error)
            if ours is None:
                raise
            if session is not None and session.broken:
                raise _Lost(ours, doubtful=committing) from error
            raise ours from error

    def _landed(self, changes: Changes, lost: ModelyardError) -> bool:
        """Whether a commit whose answer was lost had been done.

        Waiting for the turn to commit makes sure that the old transaction has ended one way or the other. An event is
        written once per chain and place, with the hash of all before it, so finding ours proves the whole commit.

        Raises:
            StorageError: There is no event to look for, or nobody to ask.
        """
        doubt = StorageError(
            f"{self.place}: the connection was lost while committing, so it is not known whether the change was made "
            f"({lost.detail}); look before trying again"
        )
        if not changes.events:
            raise doubt
        event = changes.events[0]
        key = {"model_key": fold(event.model), "sequence": event.sequence}
        wanted = digest(dump(encode_event(event)), "event", *key.values())

        def looked(session: Session) -> Any:
            self.engine.begin(session)
            try:
                session.execute(_FENCE, {})
                return session.execute(_EVENT, key).fetchone()
            finally:
                self._undo(session)

        try:
            found = self._tried(looked)
        except StorageError as error:
            raise doubt from error
        return found is not None and bytes(found[0]) == wanted

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Others who also lost a race wait; on PostgreSQL every other writer does.

        This thread reads and writes over one connection meanwhile, so that those who wait cannot use up the pool.
        """
        if getattr(self._mine, "session", None) is not None or not self._queue.acquire(timeout=PATIENCE):
            yield
            return
        try:
            with self._alone():
                yield
        finally:
            self._queue.release()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        session = self._pool.lend()
        try:
            try:
                self.engine.shut_others_out(session)
            except Exception as error:  # a courtesy: whoever cannot have it goes on without
                _log.debug("%s: going on without being alone: %s", self.place, type(error).__name__)
                self._undo(session)
            self._mine.session = session
            yield
        finally:
            self._mine.session = None
            try:
                self.engine.let_others_in(session)
            except Exception:
                session.broken = True
            self._pool.give_back(session)

    # --- the rest ----------------------------------------------------------------------------------------------------

    def is_made(self) -> bool:
        """Whether the database has a schema of ours."""
        return self._tried(self.schema) > 0

    def is_older(self) -> bool:
        """Whether the database has a schema of ours that is not the newest."""
        return 0 < self._tried(self.schema) < sql.SCHEMA_VERSION

    def migrate(self) -> None:
        """Make the tables or bring them to the newest schema; safe when many processes do so at once.

        Raises:
            NotSupported: The database was written by a newer version.
        """
        if self._is_current(self._tried(self.schema)):
            return
        session = self.engine.connect(patient=True)
        try:
            self.engine.upgrade(session)
            self._is_current(self.schema(session))
        except ModelyardError:
            raise
        except Exception as error:
            self._raise(_cause(error))
        finally:
            session.close()
        self._words = None

    def _is_current(self, found: int) -> bool:
        if found > sql.SCHEMA_VERSION:
            raise NotSupported(
                f"{self.place} has schema {found}, this version of modelyard knows up to {sql.SCHEMA_VERSION}: "
                "it was written by a newer modelyard; update this one"
            )
        return found == sql.SCHEMA_VERSION

    def schema(self, session: Session) -> int:
        """Number of the schema that is there; 0 if there is none."""
        try:
            row = session.execute(_SCHEMA, {}).fetchone()
        except Exception as error:
            if self.engine.is_missing(error):
                return 0
            raise
        return int(row[0]) if row else 0

    def check(self) -> Sequence[str]:
        """Recompute what can be recomputed, over one snapshot; one line per finding."""
        session = self.engine.connect(patient=True)
        try:
            self.engine.begin_looking(session)
            return tuple(findings(session, words=False, dialect=self.dialect))
        except ModelyardError:
            raise
        except Exception as error:
            ours = self._ours(error)
            if ours is None:
                raise
            return (f"{self.place}: cannot be read any further: {ours.detail}",)
        finally:
            session.close()

    def look(self) -> Looked:
        """Who answers, what may be done there and what is promised; makes and changes nothing."""
        from modelyard.adapters.metadata.server_look import look

        return look(self.engine, self._pool_size, self.schema)

    def close(self) -> None:
        """Close idle connections; calls still running finish first."""
        self._pool.close()


def _cause(error: Exception) -> Exception:
    """The driver's error inside SQLAlchemy's."""
    inner = getattr(error, "orig", None)
    with suppress(AttributeError):
        return inner if isinstance(inner, Exception) else error
    return error
