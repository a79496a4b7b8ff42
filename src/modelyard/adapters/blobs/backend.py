"""Which kind of blob store the settings ask for; apart, because everybody asks and few need an object store."""

from __future__ import annotations

from typing import Final

from modelyard.settings import Settings

LOCAL: Final = "local"


def backend_of(settings: Settings) -> str:
    """``local``, ``s3``, ``gcs`` or ``azure``.

    Whoever gives ``MINIO_BUCKET`` to a server means it, even if ``storage.backend`` is not mentioned.
    """
    from modelyard.settings.dotenv import is_short

    named = settings.source("storage.backend") != "default"
    if not named and is_short(settings.source("storage.s3.bucket")):
        return "s3"
    return settings.storage.backend
