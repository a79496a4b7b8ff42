"""Records as JSON and back, for bundles and for the wire."""
