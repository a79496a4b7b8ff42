"""What is free goes back to the system, now and then and by itself."""

from __future__ import annotations

import ctypes

import pytest

from modelyard.server import memory

from .running import on_a_thread, wait_until
from .test_command import resident

PIECE, PIECES = 100_000, 500
"""Too small for a mapping of its own, and 50 MB together."""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc's heap")
def test_holes_in_the_heap_go_back_to_the_system() -> None:
    pieces = [bytes([1]) * PIECE for _ in range(PIECES)]
    pins = pieces[9::10]  # or the heap's end would be free, which goes back without being told
    del pieces
    before = resident("self")
    memory.trim()
    assert before - resident("self") > PIECE * PIECES // 2
    assert len(pins) == PIECES // 10


def test_a_server_gives_back_again_and_again(tmp_path, monkeypatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr(memory, "trim", lambda: given.append(True))
    monkeypatch.setattr(memory, "EVERY", 0.1)
    with on_a_thread(tmp_path / "registry"):
        wait_until(lambda: len(given) >= 2)


@pytest.mark.parametrize("heap", [None, object()])
def test_another_c_library_is_left_to_itself(monkeypatch, heap) -> None:
    monkeypatch.setattr(memory, "_HEAP", heap)
    memory.limit_arenas()
    memory.trim()
