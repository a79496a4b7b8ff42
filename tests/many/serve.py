"""``modelyard`` whose right to collect ends sooner than usual after a death: ``serve.py <seconds> server ...``."""

from __future__ import annotations

import sys

from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.cli.main import main

if __name__ == "__main__":
    defaults = ObjectBlobs.__init__.__kwdefaults__
    assert "life" in defaults
    defaults["life"] = float(sys.argv.pop(1))
    main()
