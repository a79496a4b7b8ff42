"""Loads every file of a folder with nothing in the way, in a process of its own: the proof that the corpus can hurt.

``python fire.py FOLDER`` ; each file is tried with ``pickle.load`` and with ``joblib.load``.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from contextlib import suppress
from pathlib import Path


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: object) -> object:
        return pid


def main(folder: Path) -> None:
    import joblib

    warnings.simplefilter("ignore")
    for path in sorted(folder.iterdir()):
        with suppress(BaseException), path.open("rb") as file:
            _Unpickler(file).load()
        with suppress(BaseException):
            joblib.load(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
