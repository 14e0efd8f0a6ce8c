"""The source for every URL: picks the kind of source by the scheme, and makes each on first need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from indexer.errors import LocationInvalid
from indexer.source.local import LocalSource
from indexer.source.together import read_together
from indexer.urls import FILE, SPELLINGS, split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from indexer.asks import Head, Need, Tail
    from indexer.model import Identity, Span
    from indexer.source import Source

    Env = Mapping[str, str]


def _local(env: Env) -> Source:  # noqa: ARG001 - one signature for all kinds
    return LocalSource()


def _store(env: Env) -> Source:
    # Loading obstore costs 10 ms: whoever reads local files only does not pay for it, nor for a wrong AWS variable.
    from indexer.source.connect import Stores  # noqa: PLC0415
    from indexer.source.settings import StoreSettings  # noqa: PLC0415
    from indexer.source.store import StoreSource  # noqa: PLC0415

    return StoreSource(Stores(StoreSettings.read(env)))


OPENERS: Final[dict[str, Callable[[Env], Source]]] = {FILE: _local, "s3": _store}
"""What opens the source of each scheme that `indexer.urls` spells."""


class RoutedSource:
    """Asks the source that the URL's scheme names.

    Args:
        env: Where settings are read from, when a source is first needed.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self._sources: dict[str, Source] = {}

    def head(self, url: str) -> Head:
        """As `Source.head`."""
        return self._of(url).head(url)

    def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        return self._of(url).tail(url, length)

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`."""
        return self._of(of.url).read(of, spans)

    def read_together(self, needs: tuple[Need, ...]) -> list[list[bytes]]:
        """As `SideBySide.read_together`. Of two sources one is the local disk, which keeps nobody waiting: they take turns."""
        answers: dict[int, list[bytes]] = {}
        sources = [self._of(need.of.url) for need in needs]
        for source in dict.fromkeys(sources):
            its = [position for position, other in enumerate(sources) if other is source]
            answers.update(zip(its, read_together(source, tuple(needs[position] for position in its)), strict=True))
        return [answers[position] for position in range(len(needs))]

    def _of(self, url: str) -> Source:
        scheme = split(url).scheme
        source = self._sources.get(scheme)
        if source is None:
            opener = OPENERS.get(scheme)
            if opener is None:
                raise LocationInvalid("there is no way to read this here", hint=SPELLINGS, location=url)
            source = self._sources.setdefault(scheme, opener(self._env))
        return source


def open_source(env: Env) -> Source:
    """The source for every URL, with the settings in `env` (`os.environ` in a handler or a command).

    Raises, when first asked for a URL of its kind:
        SettingInvalid: The variables for that kind of store cannot work.
    """
    return RoutedSource(env)
