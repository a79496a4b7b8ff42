"""The allowlist, as data: one file per library, each a text of ``module: name name ...`` lines, sorted.

Written once by introspection of the library (classes that estimators are made of, numeric functions that are stored
by reference) and read by people: no function that opens files, starts anything or evaluates text is here, and no
class whose construction or ``__setstate__`` does (``scipy.stats`` distributions ``exec`` a template from their state).
"""
