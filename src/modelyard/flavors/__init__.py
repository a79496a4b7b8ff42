"""How models become files and files become models: one module per flavor, and the guard below all that unpickle.

Frameworks are imported inside functions only, so that naming a flavor costs nothing.
"""
