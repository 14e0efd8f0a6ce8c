"""The catalog: which archives are bound under one prefix, and where their pages lie (docs/catalog-format.md)."""
