"""Write ``docs/explanation/permissions.md`` from the tables that decide, so that it cannot disagree with them.

``python docs/generate_permissions.py`` runs this; a test compares the page with what is committed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from modelyard.domain import permissions
from modelyard.domain.permissions import ROLES, Action
from modelyard.edge.needs import RULES
from modelyard.wire.operations import PREFIX, TABLE, Operation

PAGE = Path(__file__).parent / "explanation" / "permissions.md"

INTRO = """\
# Who may do what

Written by `python docs/generate_permissions.py` from the tables that decide.

A server asks every caller for a [token](../how-to/tokens.md). A token carries *grants*, and each grant is one yes: a
role, on a pattern of model names, narrowed to certain stages or actions if you like. What no grant covers is refused.
There is one place where this is decided, and no address of the server leads around it. A registry that is opened as a
folder asks nobody: whoever may read and write its files owns it.
"""

WORDS = """\
## Rules that hold everywhere

- **What you may not see is not there.** Of a model that no grant of yours names you learn nothing: not from an error
  message, a list, a search, the number of pages, a cursor, a lineage graph, or an upload that says "already here". What
  was hidden from you in a lineage stands there as `(hidden)` where it lies on the way to something of yours.
- **Seeing is not downloading.** A token that is narrowed to `read` shows what there is and gives no bytes.
- **To name bytes is not to have them.** A version can be made only over bytes that you sent within the last day, or
  could download anyway. Whoever finds a digest in a log gains nothing.
- **Stages.** A grant `to staging` promotes to staging. It takes nothing out of production and moves no alias, since an
  alias may be what serves. Only a grant without stages does.
- **Force** is for who governs the model, whatever else it may do.
- **Nobody gives away more than they have**, or for longer: a token that is made with a token can do no more than that
  one.
- **What is refused to a known caller is in the registry's history** (`modelyard history`), at most 20 at once and one a
  minute for each caller; the rest is counted.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRO, *_actions(), *_roles(), WORDS, *_operations()]).rstrip() + "\n"


def _actions() -> Iterator[str]:
    yield "## Actions\n\n| action | allows to |\n|---|---|"
    for action, text in _docstrings().items():
        yield f"| `{action}` | {text[0].lower()}{text[1:].rstrip('.')} |"
    yield ""


def _docstrings() -> dict[str, str]:
    """Each action with the text below it in the source."""
    tree = ast.parse(inspect.getsource(permissions))
    body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Action").body
    found: dict[str, str] = {}
    for here, after in pairwise(body):
        if isinstance(here, ast.Assign) and isinstance(after, ast.Expr):
            found[ast.literal_eval(here.value)] = ast.literal_eval(after.value)
    return found


def _roles() -> Iterator[str]:
    yield "## Roles\n"
    yield "| role | " + " | ".join(action.value for action in Action) + " |"
    yield "|---|" + "---|" * len(Action)
    for role, may in ROLES.items():
        yield f"| `{role}` | " + " | ".join("yes" if action in may else "" for action in Action) + " |"
    yield ""


def _operations() -> Iterator[str]:
    yield "## Calls\n\n| call | address | needs | |\n|---|---|---|---|"
    for row in TABLE:
        yield f"| `{row.name}` | `{row.method} {PREFIX}{row.path}` | `{row.action}` | {_more(row)} |"


def _more(row: Operation) -> str:
    if row.name in RULES:
        return " ".join((inspect.getdoc(RULES[row.name]) or "").split())
    return "" if row.about else "on the registry as a whole"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
