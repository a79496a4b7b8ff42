"""The page about signatures lists the types that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from modelyard.domain.signature import TYPES
from modelyard.domain.signature_given import parse

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "signatures.md").read_text("utf-8")


def test_the_table_of_types_is_the_list_in_the_code() -> None:
    table = PAGE[PAGE.index("| type | values |") :].split("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)
    assert rows == list(TYPES.items())


def test_the_json_on_the_page_is_a_signature_in_its_one_form() -> None:
    shown = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    document = json.loads(shown[1])
    assert parse(document).to_mapping() == document
