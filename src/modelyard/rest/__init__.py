"""The REST door: the operations table and the bytes, over HTTP."""
