"""MongoDB against dictionaries, step for step."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.testing.world import RegistryWorld

from .service_rooms import local_service, memory_memory

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.parametrize(
    ("examples", "steps"), [(6, 25), pytest.param(100, 50, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_both_registries_answer_alike(mongodb: Any, examples: int, steps: int) -> None:
    class World(RegistryWorld):
        def left(self, clock):
            return local_service(mongodb.empty_store("world"), MemoryBlobs(), MemoryBlobs(), clock)

        def right(self, clock):
            return memory_memory(Path(os.devnull), clock)

    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=CHECKS
    )
    run_state_machine_as_test(World, settings=chosen)
