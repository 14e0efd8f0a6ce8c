"""The index file: sorted member names, their metadata, their extents (docs/index-format.md)."""
