"""Memory that is used again, and never while anybody looks at it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modelyard.edge.buffers import KEPT, PIECE, Buffers


def test_what_nobody_holds_is_given_out_again() -> None:
    buffers = Buffers()
    first = buffers.take()
    memory = first.obj
    del first
    assert buffers.take().obj is memory


def test_every_buffer_is_whole() -> None:
    buffers = Buffers()
    assert [len(buffers.take()) for _ in range(3)] == [PIECE] * 3


def test_a_slice_of_a_slice_is_enough_to_keep_its_bytes() -> None:
    buffers = Buffers()
    whole = buffers.take()
    whole[:4] = b"mine"
    part = whole[:100][:4]
    del whole
    for _ in range(KEPT):
        buffers.take()[:4] = b"them"
    assert part == b"mine"


def test_more_than_are_kept_can_be_held_at_once() -> None:
    buffers = Buffers()
    held = [buffers.take() for _ in range(KEPT + 2)]
    assert len({id(each.obj) for each in held}) == KEPT + 2


@given(st.lists(st.integers(0, 7), max_size=60))
def test_no_two_holders_ever_share_memory(steps: list[int]) -> None:
    """Each step lets go of what one of eight holders has, or gives it a buffer."""
    buffers, held = Buffers(), {}
    for holder in steps:
        if held.pop(holder, None) is None:
            held[holder] = buffers.take()
            held[holder][:1] = bytes([holder])
        assert all(view[0] == number for number, view in held.items())
