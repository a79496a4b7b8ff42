"""pyarrow: plain arrays, in which pandas 3 keeps texts. The guard compares their sizes before anybody reads them."""

from __future__ import annotations

from typing import Final

NAMES: Final = """
pyarrow.lib: _restore_array py_buffer type_for_alias
"""
