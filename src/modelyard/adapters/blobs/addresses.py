"""The one form a blob's address may have, checked before it comes near a path."""

from __future__ import annotations

import re

from modelyard.domain.errors import BlobDamaged, BlobNotFound, InvalidInput

HEX = re.compile(r"[0-9a-f]{64}")
_PREFIX = "sha256:"


def hex_of(digest: str) -> str:
    """Return the 64 hex digits of a digest.

    Raises:
        InvalidInput: It is anything but ``sha256:`` and 64 lower-case hex digits.
    """
    if isinstance(digest, str) and digest.startswith(_PREFIX) and HEX.fullmatch(digest, len(_PREFIX)):
        return digest[len(_PREFIX) :]
    raise InvalidInput(
        f"{str(digest)[:100]!r} is not a digest: expected 'sha256:' and 64 lower-case hex digits.",
        data={"digest": str(digest)[:100]},
    )


def digest_of(hexdigits: str) -> str:
    """The inverse of ``hex_of``."""
    return _PREFIX + hexdigits


def not_found(hexdigits: str) -> BlobNotFound:
    """The error for bytes that are not there."""
    digest = digest_of(hexdigits)
    return BlobNotFound(
        f"The store has no bytes with digest {digest}: they were never uploaded, or were collected.",
        data={"digest": digest},
    )


def damaged(hexdigits: str, found: str) -> BlobDamaged:
    """The error for stored bytes that are not what was stored.

    ``found`` is a digest or says what is there.
    """
    digest = digest_of(hexdigits)
    return BlobDamaged(
        f"The stored bytes of {digest} are damaged: found {found}. Restore them from a backup or register them again.",
        data={"digest": digest, "expected": digest, "found": found},
    )


def check_expected(found: str, expect: str | None) -> None:
    """Compare the digest of bytes just received with the one announced.

    Raises:
        BlobDamaged: They differ.
    """
    if expect is not None and found != expect:
        raise BlobDamaged(
            f"The bytes received have digest {found}, but {expect} was announced. Nothing was stored; send them again.",
            data={"digest": expect, "expected": expect, "found": found},
        )
