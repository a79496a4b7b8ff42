"""Records that are found by the digest of a secret, as rows: what tokens and sessions have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from modelyard.adapters.metadata.rows import Row, digest, dump
from modelyard.domain.errors import IntegrityError

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRows(Generic[R]):
    """One kind of them; what a row is found by is covered by the row's digest.

    Attributes:
        kind: Its name, as in ``<kind>_id`` and the table ``<kind>s``.
        encode: Makes the document of a record.
        decode: Makes the record of a document.
        remedy: What to do about a row that does not hold.
    """

    kind: str
    encode: Callable[[R], Row]
    decode: Callable[[Row], R]
    remedy: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the table, in its order."""
        return (*self._identity, "doc", "row_digest")

    @property
    def _identity(self) -> tuple[str, ...]:
        return (f"{self.kind}_id", "digest", "revision")

    def row(self, record: R) -> Row:
        """The columns of a record, and its key once more for statements that name it twice."""
        row: Row = {name: getattr(record, name) for name in self._identity}
        row[f"the_{self.kind}_id"] = row[f"{self.kind}_id"]
        row["doc"] = dump(self.encode(record))
        return row | {"row_digest": self.digest_of(row)}

    def digest_of(self, row: Row) -> bytes:
        """What ``row_digest`` has to be."""
        return digest(row["doc"], self.kind, *(row[name] for name in self._identity))

    def read(self, found: Sequence[Any]) -> R:
        """The record of a table's row.

        Raises:
            IntegrityError: The row does not match its digest, so what it grants cannot be relied on.
        """
        row = dict(zip(self.columns, found, strict=True))
        if row["row_digest"] != self.digest_of(row):
            raise IntegrityError(
                f"the stored row of {self.kind} {row[f'{self.kind}_id']} does not match its own digest: it was changed "
                f"or damaged on disk; run `modelyard fsck`{self.remedy}"
            )
        return self.decode(json.loads(row["doc"]))

    def findings(self, connection: Any) -> Iterator[str]:
        """One line per row that does not hold."""
        for row in connection.execute(f"SELECT {', '.join(self.columns)} FROM {self.kind}s"):  # noqa: S608
            try:
                record = self.read(row)
            except IntegrityError:
                yield f"{self.kind} {row[0]}: the row does not match its digest"
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                yield f"{self.kind} {row[0]}: the document cannot be read: {error}"
            else:
                if tuple(getattr(record, name) for name in self._identity) != tuple(row[:3]):
                    yield f"{self.kind} {row[0]}: its columns are not those of its document"
