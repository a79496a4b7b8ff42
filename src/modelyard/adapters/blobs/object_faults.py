"""What an object store says when it cannot, in our own errors.

The clients' messages quote addresses and headers, and with some kinds of credentials those are secrets. So nothing of
them is passed on but the store's own code and the HTTP status, and the chain of causes ends here. Refused credentials
are ``StorageError`` too: they are the registry's and not the caller's, who can do nothing about them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from modelyard.adapters.blobs.object_place import Place
from modelyard.domain.errors import StorageError, StorageFull, Unreachable

_KEYS: Final = "check the access key and its secret, and that the key is still active"
_MAY: Final = (
    "give the credentials leave to list, read, write and delete below the prefix, or open it for reading only"
)
_CODES: Final[dict[str, tuple[type[StorageError], str]]] = {
    "InvalidAccessKeyId": (StorageError, _KEYS),
    "SignatureDoesNotMatch": (StorageError, _KEYS),
    "AuthenticationFailed": (StorageError, _KEYS),
    "AuthorizationFailure": (StorageError, _KEYS),
    "ExpiredToken": (StorageError, "the temporary credentials have run out: fetch new ones"),
    "InvalidToken": (StorageError, _KEYS),
    "RequestTimeTooSkewed": (
        StorageError,
        "this machine's clock and the store's differ too much: set the clock",
    ),
    "AccessDenied": (StorageError, _MAY),
    "AuthorizationPermissionMismatch": (StorageError, _MAY),
    "InsufficientAccountPermissions": (StorageError, _MAY),
    "NoSuchBucket": (StorageError, "there is no such bucket: create it, or correct its name in the settings"),
    "ContainerNotFound": (
        StorageError,
        "there is no such container: create it, or correct its name in the settings",
    ),
    "NoSuchUpload": (Unreachable, "the upload was given up by somebody, or its end went astray; try again"),
    "QuotaExceeded": (StorageFull, "its quota is used up: raise it or remove something"),
    "InsufficientStorage": (StorageFull, "it has no space left: add some or remove something"),
    "XMinioStorageFull": (StorageFull, "it has no space left: add some or remove something"),
    "EntityTooLarge": (StorageError, "the object is larger than it takes"),
    "XAmzContentSHA256Mismatch": (Unreachable, "bytes were changed on their way to it; try again, over TLS"),
    "BadDigest": (Unreachable, "bytes were changed on their way to it; try again, over TLS"),
}
_NO_BUCKET: Final = frozenset({"NoSuchBucket", "ContainerNotFound"})
_STATUS: Final[dict[int, tuple[type[StorageError], str]]] = {
    401: (StorageError, _KEYS),
    403: (StorageError, f"{_KEYS}, or {_MAY}"),
    507: (StorageFull, "it has no space left: add some or remove something"),
}
_DOWN: Final = "check the endpoint, the network and the store itself, then try again"
_AILING: Final = "the store itself is at fault: see that all of it is up and has space left, then try again"
_CODE: Final = re.compile(r"(?:<Code>\s*|\(code: )(\w{3,60})")
_HTTP: Final = re.compile(r"status code: (\d{3})")
_GONE: Final = (
    "error sending request",
    "Connect",
    "operation timed out",
    "connection closed",
    "TimedOut",
    "decoding",
)


@contextmanager
def object_errors(place: Place, doing: str) -> Iterator[None]:
    """Turn what the client raises in the block into our errors; our own pass, and so does everything else.

    A ``FileNotFoundError`` passes unless it is the bucket that is missing: what a missing object means depends.
    ``doing`` completes the sentence "... failed", as in "storing a blob".
    """
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        raise object_error(place, doing, error) from None
    except FileNotFoundError as error:
        if not is_of_client(error) or _first(_CODE, str(error)) not in _NO_BUCKET:
            raise
        raise object_error(place, doing, error) from None


def is_of_client(error: BaseException) -> bool:
    """Whether a built-in exception comes from the client: those carry one long text and no number."""
    return isinstance(error, OSError) and not isinstance(error, StorageError) and error.errno is None


def object_error(place: Place, doing: str, error: BaseException) -> StorageError:
    """Our error for one of the client's, met while ``doing``."""
    text = str(error)
    code, status = _first(_CODE, text), int(_first(_HTTP, text) or 0)
    kind, advice = _judge(code, status, text)
    found = ", ".join(part for part in (code, f"HTTP {status}" if status else "") if part) or "no answer"
    return kind(
        f"{place.name}: {doing} failed ({found}): {advice}.",
        data={"bucket": place.bucket, "code": code, "status": status},
    )


def _judge(code: str, status: int, text: str) -> tuple[type[StorageError], str]:
    if code in _CODES:
        return _CODES[code]
    if re.search(
        r"no space|disk full|not enough space|no writable volumes|no free volumes", text, re.IGNORECASE
    ):
        return StorageFull, "it has no space left: add some or remove something"
    if status in _STATUS:
        return _STATUS[status]
    if status == 404:
        return (
            StorageError,
            "there is no such bucket or container: create it, or correct its name in the settings",
        )
    if status >= 500:
        return Unreachable, _AILING
    if not status and any(word in text for word in _GONE):
        return Unreachable, _DOWN
    return StorageError, "the store refuses; check its log and the settings of the bucket"


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
