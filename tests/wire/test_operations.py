"""Calls as addresses."""

from __future__ import annotations

import pytest

from modelyard.domain.errors import InvalidInput
from modelyard.wire.operations import BY_NAME, bind


@pytest.mark.parametrize("dots", [".", ".."])
@pytest.mark.parametrize("name", ["status", "get_model", "get_version", "undelete"])
def test_no_parameter_is_a_step_to_another_address(name, dots) -> None:
    row = BY_NAME[name]
    given = dict.fromkeys(row.in_path, "fraud") | {row.in_path[-1]: dots}
    with pytest.raises(InvalidInput, match="must name something") as caught:
        bind(row, **given)
    assert caught.value.data == {"field": row.in_path[-1]}


def test_dots_beside_anything_else_are_part_of_a_name() -> None:
    assert bind(BY_NAME["status"], name="../a..")[0].endswith("/models/..%2Fa../status")
