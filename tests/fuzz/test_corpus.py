"""The committed corpus of the fuzzer: every input is still read or refused by name, what once failed among them."""

from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS, inputs

MOST_BYTES = 2_000_000


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_of_the_corpus_is_read_or_refused_by_name(target: str) -> None:
    for path in inputs(target):
        TARGETS[target](path.read_bytes())


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == TARGETS.keys()
    assert all(inputs(target) for target in TARGETS)


def test_the_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if Path.is_file(path)) <= MOST_BYTES
