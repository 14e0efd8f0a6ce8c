"""Work on many threads whose results are handed on in the order it was given: threads never decide the bytes of an archive."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Lane(Generic[T]):
    """A bounded queue of tasks under way.

    Args:
        executor: Runs the tasks; shared and closed by the caller.
        take: Is handed each result, in order, on the thread that calls `submit` or `drain`.
        most_bytes: Bytes that tasks under way may hold together; one task may be larger.
    """

    def __init__(self, executor: Executor, take: Callable[[T], object], *, most_bytes: int) -> None:
        self._executor = executor
        self._hand_on = take
        self._most_bytes = most_bytes
        self._under_way: deque[tuple[int, Future[T]]] = deque()
        self._held_bytes = 0

    def submit(self, held_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> None:
        """Begin a task that holds `held_bytes`; waits for the oldest ones as long as there is no room.

        Raises:
            Exception: Whatever an earlier task or `take` raised.
        """
        while self._under_way and (self._held_bytes + held_bytes > self._most_bytes or self._under_way[0][1].done()):
            self._take_oldest()
        self._under_way.append((held_bytes, self._executor.submit(work, *args, **kwargs)))
        self._held_bytes += held_bytes

    def drain(self) -> None:
        """Wait for all tasks and hand on their results."""
        while self._under_way:
            self._take_oldest()

    def _take_oldest(self) -> None:
        held_bytes, future = self._under_way.popleft()
        self._held_bytes -= held_bytes
        self._hand_on(future.result())
