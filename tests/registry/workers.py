"""Programs that tests run as processes of their own: ``python workers.py <task> <folder> [<argument>...]``.

Each opens the registry, says ``ready``, waits for a line, does its work and prints one JSON value.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from modelyard import Conflict, ModelRegistry


def register(registry: ModelRegistry, name: str, count: str, text: str = "") -> list[int]:
    """Numbers of ``count`` new versions of ``name``, over a file if there is a text."""
    import io

    numbers = []
    for _ in range(int(count)):
        model = io.BytesIO(text.encode()) if text else None
        numbers.append(registry.get_model(registry.register_model(model, name)).number)
    return numbers


def promote(registry: ModelRegistry, ref: str, expected: str) -> str:
    """``moved``, or what the conflict says."""
    try:
        registry.promote_model(ref, "production", expected=expected)
    except Conflict as conflict:
        return f"{conflict} {conflict.data['holder']}"
    return "moved"


def churn(registry: ModelRegistry, name: str, rounds: str) -> int:
    """Register the same bytes, look at them, delete; returns how often they were not there."""
    import io

    missing = 0
    for _ in range(int(rounds)):
        model_id = registry.register_model(io.BytesIO(b"shared bytes"), name)
        version = registry.get_model(model_id)
        try:
            assert b"".join(registry._service.open_blob(version.files[0].digest)) == b"shared bytes"
        except LookupError:
            missing += 1
        registry.delete_model(model_id)
    return missing


def read(registry: ModelRegistry, ref: str, rounds: str) -> list[list[Any]]:
    """Number, aliases and revision as read, again and again."""
    seen = []
    for _ in range(int(rounds)):
        version = registry.get_model(ref)
        seen.append([version.number, version.stage.value, registry._service.get_model(version.name).revision])
    return seen


TASKS = {task.__name__: task for task in (register, promote, churn, read)}


def main(task: str, folder: str, *arguments: str) -> None:
    with ModelRegistry(folder) as registry:
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(TASKS[task](registry, *arguments)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
