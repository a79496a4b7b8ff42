"""A server in a process of its own, so that its memory can be weighed. First line printed: where it answers."""

from __future__ import annotations

import json
import os
import sys

from modelyard.server import Plan, serve
from modelyard.settings import load


def tell(started):
    print(json.dumps({"url": started.url, "token": started.token, "pid": os.getpid()}), flush=True)


if __name__ == "__main__":
    serve(load(), sys.argv[1], Plan(authenticate=sys.argv[2:] != ["--no-auth"]), tell)
