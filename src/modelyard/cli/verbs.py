"""Every verb with its one line of help, grouped as people look for them.

The list of verbs is shown from this table alone, so that ``modelyard --help`` imports none of them.
"""

from __future__ import annotations

from typing import Final

SECTIONS: Final[dict[str, dict[str, str]]] = {
    "Register and find": {
        "register": "Store a model file or directory as a new version.",
        "save": "Store a model file with a metadata file.",
        "bulk-register": "Register many models from one JSON file.",
        "list": "List versions, newest first.",
        "search": "Find versions by words or by a query.",
        "info": "Show everything about one version.",
        "load": "Copy a version's model file out, verified.",
        "download": "Copy all files of a version out, verified.",
    },
    "Decide": {
        "gates": "Judge a promotion and move nothing.",
        "promote": "Move a version to a stage, through the gates.",
        "rollback": "Bring back the last good version.",
        "archive": "Retire a version.",
        "alias": "Point names such as 'champion' at versions.",
        "policy": "Show or replace a model's own rules.",
        "check": "Record that a test passed or failed.",
        "validate": "Run the installed validators and record what they say.",
        "metrics": "Show or add measurements of a version.",
        "tag": "Set or remove tags.",
        "describe": "Replace a description.",
        "card": "Show or fill in the model card.",
    },
    "Look": {
        "status": "What is live, since when, by whom, intact, undoable?",
        "compare": "Put two versions, or all of a model, side by side.",
        "history": "What happened: events of a model, version or registry.",
        "as-of": "What a stage or alias named at some moment.",
        "lineage": "Where a version came from.",
        "stats": "The registry in numbers.",
        "monitor": "Watch the registry, redrawn in place.",
    },
    "Care": {
        "delete": "Hide a version; its number and label stay taken.",
        "undelete": "Bring a deleted version back.",
        "cleanup": "Delete archived versions past their retention.",
        "gc": "Free the bytes that nothing needs any more.",
        "fsck": "Look for missing, damaged and stray data.",
        "audit": "Verify the event chains.",
        "export": "Write the registry to one file.",
        "import": "Read what export wrote.",
    },
    "Setup": {
        "config": "Show every setting and where it comes from.",
        "doctor": "Look for trouble with this machine and folder.",
        "completion": "Print the completion script for a shell.",
    },
}

VERBS: Final[dict[str, str]] = {name: text for verbs in SECTIONS.values() for name, text in verbs.items()}


def module_of(verb: str) -> str:
    """The module that holds ``command`` for a verb."""
    word = verb.replace("-", "_")
    return f"modelyard.cli.commands.{word + '_' if word == 'import' else word}"
