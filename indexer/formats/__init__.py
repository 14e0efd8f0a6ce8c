"""Scanners, one file a kind of archive; none knows another."""
