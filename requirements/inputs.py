"""Print everything that the lock file has to pin: runtime, every extra, and the development group.

The extra ``all`` refers to the package itself, which a lock file with hashes cannot hold; it is left out, since its
parts are all here.
"""

import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))


def requirements() -> list[str]:
    """Requirement lines of pyproject.toml, each once, without references to the package itself."""
    project = PROJECT["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    wanted = {*project["dependencies"], *extras, *PROJECT["dependency-groups"]["dev"]}
    return sorted(line for line in wanted if not line.startswith(f"{project['name']}["))


if __name__ == "__main__":
    print(*requirements(), sep="\n")
