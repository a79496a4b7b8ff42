"""Many who register the same model at once, each over connections of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelyard.ports.metadata import ModelKey
from modelyard.ports.service import CreateVersion

from .stores import DATABASES, bytes_of, opener, records

CLIENTS = 8
EACH = 12


@pytest.mark.parametrize("kind", DATABASES)
def test_eight_clients_of_one_model_get_distinct_gapless_numbers_and_no_error(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with records(kind, request, tmp_path) as store:
        opened = opener(tmp_path, store, bytes_of("local", request, tmp_path))
        services = [opened() for _ in range(CLIENTS)]

        def register(client: int) -> list[int]:
            made = []
            for turn in range(EACH):
                tags = {"client": str(client), "turn": str(turn)}
                made.append(services[client].create_version(CreateVersion(name="fraud", tags=tags)).number)
            return made

        with ThreadPoolExecutor(CLIENTS) as pool:
            found = list(pool.map(register, range(CLIENTS)))
        assert sorted(number for each in found for number in each) == list(range(1, CLIENTS * EACH + 1))
        assert all(each == sorted(each) for each in found)
        model = services[0].store.get(ModelKey("fraud"))
        assert model is not None
        assert model.last_number == CLIENTS * EACH
        assert services[0].verify_audit().ok
        for service in services:
            service.close()
