"""Configuration: one frozen ``Settings`` tree from defaults, one YAML file and the environment.

``model`` is the tree and at the same time the table: one line per setting. ``table`` prints it, ``loading``
fills it, ``read`` and ``yaml_safe`` read files that nobody has checked yet, ``logs`` applies ``logging``.
Importing this package does not import PyYAML or ``logging``.
"""

from __future__ import annotations

from modelyard.settings.loading import load, resolve_location
from modelyard.settings.model import Settings
from modelyard.settings.table import SettingRow, not_active, rows, to_markdown

load_settings = load
"""``load`` under a name that reads well far from this package."""

__all__ = [
    "SettingRow",
    "Settings",
    "load",
    "load_settings",
    "not_active",
    "resolve_location",
    "rows",
    "to_markdown",
]
