"""Uploads under way, for each blob store."""
