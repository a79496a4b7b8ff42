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
        "link": "Add to a version's lineage, or take back.",
        "info": "Show everything about one version.",
        "load": "Copy a version's model file out, verified.",
        "download": "Copy all files of a version out, verified.",
    },
    "Decide": {
        "gates": "Judge a promotion and move nothing.",
        "promote": "Move a version to a stage, through the gates.",
        "rollback": "Bring back the last good version.",
        "experiment": "Try versions on live traffic, and see which is better.",
        "archive": "Retire a version.",
        "withdraw": "Say that something is not to be used any more.",
        "reinstate": "Take a withdrawal back.",
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
        "diff": "Show what two versions are made of, where it differs.",
        "history": "What happened: events of a model, version or registry.",
        "as-of": "What a stage or alias named at some moment.",
        "lineage": "What a version came from and what came of it.",
        "affected": "What depends on a version, data set or other source.",
        "env": "What a version was made with, for pip or conda too.",
        "stats": "The registry in numbers.",
        "monitor": "Watch the registry, redrawn in place.",
    },
    "Share": {
        "server": "Answer for a registry over HTTP.",
        "push": "Copy a version of this registry to a server.",
        "pull": "Copy a version of a server to this registry.",
        "login": "Fetch a token from a server, by way of a browser.",
        "logout": "End what login fetched.",
        "token": "Make, list and revoke the tokens that a server asks for.",
        "session": "List and end the sessions of people who logged in.",
    },
    "Care": {
        "delete": "Hide a version; its number and label stay taken.",
        "undelete": "Bring a deleted version back.",
        "cleanup": "Delete archived versions past their retention.",
        "gc": "Free the bytes that nothing needs any more.",
        "fsck": "Look for missing, damaged and stray data.",
        "audit": "Verify the event chains.",
        "backup": "Copy the registry to a folder, while it is in use.",
        "restore": "Make a registry from a backup.",
        "export": "Write the registry to one file.",
        "import": "Read what export wrote.",
        "migrate": "Move the registry to other stores, all of it.",
    },
    "Setup": {
        "config": "Show every setting and where it comes from.",
        "doctor": "Look for trouble with this machine and folder.",
        "completion": "Print the completion script for a shell.",
    },
}

VERBS: Final[dict[str, str]] = {name: text for verbs in SECTIONS.values() for name, text in verbs.items()}

ELSEWHERE: Final[dict[str, str]] = {
    "add": "register",
    "create": "register",
    "deploy": "promote",
    "find": "search",
    "get": "info",
    "log": "history",
    "ls": "list",
    "remove": "delete",
    "rm": "delete",
    "serve": "server",
    "show": "info",
    "upload": "register",
    "verify": "fsck",
    "versions": "list",
}
"""What other tools call it. They are named in the error and not run: a script should hold one word for one thing."""


def module_of(verb: str) -> str:
    """The module that holds ``command`` for a verb."""
    word = verb.replace("-", "_")
    return f"modelyard.cli.commands.{word + '_' if word == 'import' else word}"
