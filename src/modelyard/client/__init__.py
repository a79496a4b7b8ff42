"""The part of the work that happens where the model is: packing, uploading, verifying, loading."""
