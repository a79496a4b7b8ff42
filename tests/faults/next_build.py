"""``modelyard`` as it may be one day, whose schema is one or two steps further.

    python next_build.py <steps> <empty folder> server ...

The first step only adds, as every step must that is made while servers of the build before run: a table, a column that
may stay empty, an index. The second takes away what the build before reads, as may be done once none of it runs.
The same for MongoDB is in ``next_mongodb.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from alembic import config
from next_mongodb import become

from modelyard.adapters.metadata import migrations, statements_sqlite
from modelyard.cli.main import main

HEAD = "from alembic import op\nimport sqlalchemy as sa\nrevision, down_revision = {number!r}, {before!r}\n"
ADD = """
def upgrade():
    op.create_table("moods", sa.Column("id", sa.Integer, primary_key=True), sa.Column("mood", sa.String(40)))
    op.add_column("versions", sa.Column("mood", sa.String(40), nullable=True))
    op.create_index("ix_versions_mood", "versions", ["mood"])
"""
TAKE_AWAY = """
def upgrade():
    op.drop_table("version_terms")
"""


def write_steps(folder: Path, steps: int) -> None:
    """Put the steps beside those that there are, and be of that schema."""
    for text in (ADD, TAKE_AWAY)[:steps]:
        before = f"{statements_sqlite.SCHEMA_VERSION:04}"
        statements_sqlite.SCHEMA_VERSION += 1  # type: ignore[misc]
        number = f"{statements_sqlite.SCHEMA_VERSION:04}"
        (folder / f"m{number}_next.py").write_text(HEAD.format(number=number, before=before) + text)


class Config(config.Config):
    """Looks for steps in two folders."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.set_main_option("path_separator", "newline")
        self.set_main_option("version_locations", "\n".join(map(str, LOCATIONS)))


if __name__ == "__main__":
    steps, folder = int(sys.argv[1]), Path(sys.argv[2])
    LOCATIONS = (Path(migrations.__file__).parent / "versions", folder)
    write_steps(folder, steps)
    become(steps)
    config.Config = Config  # type: ignore[misc]
    sys.argv = ["modelyard", *sys.argv[3:]]
    sys.exit(main())
