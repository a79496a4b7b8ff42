"""SQLite and a folder against dictionaries, step for step."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from modelyard.testing.world import RegistryWorld

from .service_rooms import RAM, memory_memory, sqlite_local


class World(RegistryWorld):
    def left(self, clock):
        folder = Path(tempfile.mkdtemp(prefix="modelyard-", dir=RAM if RAM.is_dir() else None))
        self.stack.callback(shutil.rmtree, folder)
        return sqlite_local(folder, clock)

    def right(self, clock):
        return memory_memory(Path(os.devnull), clock)


class TestWorld(World.TestCase):
    settings = settings(max_examples=12, stateful_step_count=25, deadline=None)


@pytest.mark.long
class TestWorldForLong(World.TestCase):
    settings = settings(max_examples=600, stateful_step_count=50, deadline=None)
