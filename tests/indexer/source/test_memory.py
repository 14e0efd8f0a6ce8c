"""Objects in memory keep the contract."""

import asyncio
from collections.abc import Iterator

import pytest

from indexer.source import Source
from indexer.source.memory import AsyncMemorySource, MemorySource
from tests.indexer.source.contract import InLoop, SourceContract, SyncSourceContract


class MemoryShelf:
    """A dict."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, name: str, data: bytes) -> str:
        self.objects[self.url(name)] = data
        return self.url(name)

    def remove(self, name: str) -> None:
        del self.objects[self.url(name)]

    def url(self, name: str) -> str:
        return f"s3://bucket/{name}"


@pytest.fixture
def shelf() -> MemoryShelf:
    return MemoryShelf()


class TestMemorySource(SyncSourceContract):
    @pytest.fixture
    def source(self, shelf: MemoryShelf) -> Source:
        return MemorySource(shelf.objects)

    def test_an_etag_is_the_md5_as_in_s3(self, shelf: MemoryShelf, source: Source) -> None:
        assert source.head(shelf.put("a", b"hello")).identity.etag == "5d41402abc4b2a76b9719d911017c592"


class TestAsyncMemorySource(SourceContract):
    @pytest.fixture
    def source(self, shelf: MemoryShelf) -> Iterator[Source]:
        with asyncio.Runner() as runner:
            yield InLoop(AsyncMemorySource(shelf.objects), runner)
