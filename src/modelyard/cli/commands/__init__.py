"""One file per verb; each defines ``command`` and is imported only when its verb is called."""
