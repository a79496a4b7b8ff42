"""Judging bytes without running them: what is in a file, and what would loading it look up?

Standard library only. Nothing here imports, unpickles or extracts what it reads; every limit (bytes, ratio, entries,
depth, operations) ends in the verdict ``unknown``, never in an exception and never in ``clean``.
"""
