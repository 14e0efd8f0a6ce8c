"""Tests of the packer: its parts against small models, and whole packs against folders, buckets and stock tools."""
