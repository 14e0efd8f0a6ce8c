"""Fuzz targets: one module for each reader of foreign bytes, each with functions that take bytes and return nothing.

A function returns when the bytes were read or refused by an error of the tree, and raises for anything else. The ordinary tests
call them on what hypothesis makes.
"""
