"""The catalog: which archives are bound under one prefix, and where their pages lie (docs/catalog-format.md)."""

from typing import Final

CATALOG_SUFFIX: Final = ".bindery-catalog"
"""A URL that ends so is a catalog's, wherever an archive could be named too."""
