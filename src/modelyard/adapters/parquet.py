"""Per-example results out of parquet, on pyarrow.

The file may come from anyone. Only the columns that count are read, in batches, and names of examples stay encoded as
a dictionary until it is known that none stands there twice; how many numbers a file may unfold into is limited before
one of them is read. So a small file fills neither memory nor time.
"""

from __future__ import annotations

from array import array
from typing import Any, Final

from modelyard.domain import results
from modelyard.domain.errors import InvalidInput, MissingDependency
from modelyard.domain.results import ID, Results

BATCH: Final = 65_536  # rows


def read(data: bytes) -> Results:
    """Results from the bytes of a parquet file.

    Raises:
        InvalidInput: It is no parquet file, or breaks a rule of per-example results.
        MissingDependency: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependency(
            "reading parquet needs pyarrow, which is not installed: pip install 'modelyard[stats]'"
        ) from error
    try:
        wanted = _wanted(pa, pq.ParquetFile(pa.BufferReader(data)))
        return _read(pa, pq.ParquetFile(pa.BufferReader(data), read_dictionary=[ID]), wanted)
    except InvalidInput:
        raise
    except (pa.ArrowException, OSError, LookupError, ValueError) as error:  # each for some way to be broken
        raise InvalidInput(f"not a readable parquet file ({error})") from error


def _wanted(pa: Any, source: Any) -> list[str]:
    """The columns that count, after a look at what the file says of itself."""
    schema = source.schema_arrow
    names = list(schema.names)
    if names.count(ID) != 1 or len(set(names)) < len(names):
        raise InvalidInput(f"expected one column {ID!r} and no name twice, found {', '.join(names[:20])}")
    wanted = [field.name for field in schema if field.name != ID and _measured(pa, field.type)]
    results.check_columns(len(wanted))
    results.check_count(source.metadata.num_rows, len(wanted))
    return wanted


def _read(pa: Any, source: Any, wanted: list[str]) -> Results:
    columns = {name: array("d") for name in wanted}
    ids: list[Any] = []
    for batch in source.iter_batches(batch_size=BATCH, columns=[ID, *wanted], use_threads=False):
        _append(pa, batch, ids, columns)
    return results.checked(ids, columns)


def _measured(pa: Any, kind: Any) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _append(pa: Any, batch: Any, ids: list[Any], columns: dict[str, array[float]]) -> None:
    """One batch of rows behind those read before."""
    for name in batch.schema.names:
        if batch.column(name).null_count:
            raise InvalidInput(f"column {name!r}: expected a value for every example, found an empty one")
    ids += _ids(pa, batch.column(ID))
    results.check_count(len(ids), len(columns))
    for name, values in columns.items():
        values.frombytes(
            batch.column(name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).tobytes()
        )


def _ids(pa: Any, column: Any) -> list[Any]:
    """The names of a batch; a dictionary shorter than its batch holds a name that stands there twice."""
    if pa.types.is_dictionary(column.type):
        if len(column.dictionary) < len(column):
            raise InvalidInput(f"{ID}: a name stands there twice; every example counts once")
        if any(len(name) > results.LONGEST_ID for name in column.dictionary.to_pylist()):
            raise InvalidInput(f"{ID}: expected at most {results.LONGEST_ID} characters")
    return list(column.to_pylist())
