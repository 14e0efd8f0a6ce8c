"""Packs objects into archives: select, fetch, write, verify, publish."""
