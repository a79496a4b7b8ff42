"""The registry elsewhere: the same questions, forwarded to a server."""
