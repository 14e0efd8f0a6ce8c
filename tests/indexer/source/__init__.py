"""Tests of sources. `contract` holds assertions and is no test file of its own, so pytest has to be told to explain them."""

import pytest

pytest.register_assert_rewrite("tests.indexer.source.contract")
