"""Conformance of S3 Object Lambda functions: cases as data, and what runs them against any function (README.md).

Nothing here imports Bindery; `python -m tests.conformance --handler module:function` needs the standard library alone.
"""
