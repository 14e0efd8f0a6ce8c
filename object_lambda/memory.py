"""What a process keeps in memory between calls: bounded by bytes, least recently used first out, safe for threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from threading import Lock
from typing import TypeVar

from cachetools import LRUCache

K = TypeVar("K")
V = TypeVar("V")


class BoundedMap(MutableMapping[K, V]):
    """A mapping that forgets what was least recently used.

    Args:
        most: Sum of the weights it holds at most; what weighs more than that is not kept at all.
        weigh: The weight of a value, in bytes or as 1 each. It is asked once, when the value is put in.
    """

    def __init__(self, most: int, weigh: Callable[[V], int]) -> None:
        self._held: LRUCache[K, V] = LRUCache(most, getsizeof=weigh)
        self._lock = Lock()

    def __getitem__(self, key: K) -> V:
        with self._lock:
            return self._held[key]

    def __setitem__(self, key: K, value: V) -> None:
        with self._lock:
            # cachetools refuses what is too large with an error; to us that is a value forgotten at once.
            try:
                self._held[key] = value
            except ValueError:
                self._held.pop(key, None)

    def __delitem__(self, key: K) -> None:
        with self._lock:
            del self._held[key]

    def __iter__(self) -> Iterator[K]:
        with self._lock:
            return iter(list(self._held))

    def __len__(self) -> int:
        with self._lock:
            return len(self._held)

    @property
    def weight(self) -> int:
        """The sum of the weights held."""
        return int(self._held.currsize)
