"""Commits to a catalog: archives bound, removed, bound anew; ten writers at once lose nothing."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from archiver.binder import Binder
from archiver.buckets import Buckets
from archiver.catalogstore import Version, catalog_store
from archiver.select import key_prefix
from archiver.settings import Names, PackSettings
from indexer.catalogfile import CATALOG_SUFFIX
from indexer.catalogfile.describe import describe, filter_of
from indexer.catalogfile.entry import CatalogEntry, CatalogState
from indexer.catalogfile.keyranges import KeyRange
from indexer.catalogfile.shelf import check_prefix
from indexer.catalogfile.writer import write_catalog
from indexer.drivers import run
from indexer.errors import (
    BinderyError,
    CatalogContended,
    CatalogDamaged,
    LocationInvalid,
    ObjectMissing,
    ObjectReplaced,
    SettingInvalid,
    StoreFailed,
)
from indexer.limits import COMMITS_TOLD
from indexer.model import Identity
from indexer.source import Source
from indexer.source.route import open_source
from indexer.source.settings import StoreSettings
from indexer.urls import FILE, INDEX_SUFFIX, index_url, local_path, parse_prefix, split

COMMIT_TRIES: Final = 100
"""Attempts at one commit: each that is lost was won by another writer, so that many must have come between."""

FIRST_PAUSE_S: Final = 0.02
LONGEST_PAUSE_S: Final = 2.0
"""Pauses between attempts are random, up to twice the one before: from what a PUT takes to what lets a crowd pass."""

CHECKS: Final = 32
"""Requests in flight while all archives are looked at."""

Change = Callable[[CatalogState], CatalogState | None]
"""What is to become of a catalog; None when nothing is. Called anew for each attempt; on its own result it gives None."""


@dataclass(frozen=True, slots=True)
class Binding:
    """An archive to be bound.

    Args:
        archive: Its canonical URL.
        index: That of its index.
        prefix: What stands before each member's name to make its key.
    """

    archive: str
    index: str
    prefix: bytes = b""


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a commit.

    Args:
        state: What the catalog says now.
        changed: Whether anything had to be written.
        lost: Attempts that another writer won.
    """

    state: CatalogState
    changed: bool
    lost: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an archive of a catalog; `problem` is empty when nothing is."""

    entry: CatalogEntry
    problem: str


class CatalogEditor:
    """Changes one catalog.

    Args:
        url: Canonical URL of the catalog; it need not be there yet.
        env: The variables with which stores are reached.
        pause: Waits for so many seconds.
        chance: Gives a number in [0, 1).

    Raises:
        LocationInvalid: The URL is no catalog's.
    """

    def __init__(
        self,
        url: str,
        env: Mapping[str, str],
        *,
        pause: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not url.endswith(CATALOG_SUFFIX):
            raise LocationInvalid("this is no name for a catalog", hint=f"It ends in {CATALOG_SUFFIX}", location=url)
        self.url = url
        self.store = catalog_store(url, env)
        self.source = open_source(env)
        self._env = env
        self._pause = pause
        self._chance = chance

    def commit(self, change: Change) -> Committed:
        """Change the catalog.

        Each attempt is named, and a catalog tells the names of its latest commits: so an attempt whose answer was lost is found to
        have succeeded, also when others have followed.

        Raises:
            CatalogContended: `COMMIT_TRIES` attempts were lost.
            CatalogDamaged, CatalogUnsupported: What is there cannot be changed.
            StoreFailed: The store failed, and the change is not there.
            AccessRefused, DiskFull: As ever.

        Cost:
            One read and one write an attempt.
        """
        attempts: set[str] = set()
        version: Version = None
        pause_s = FIRST_PAUSE_S
        for lost in range(COMMIT_TRIES):
            try:
                version, state = self.store.read()
                if attempts & {state.commit, *state.before}:
                    return Committed(state, changed=True, lost=lost - 1)
                changed = change(state)
                if changed is None:
                    return Committed(state, changed=bool(attempts), lost=lost)
                name = os.urandom(8).hex()
                told = tuple(filter(None, (state.commit, *state.before)))[:COMMITS_TOLD]
                changed = replace(changed, commit=name, before=told)
                attempts.add(name)
                self.store.write(write_catalog(changed, self.url), replaces=version)
            except (ObjectReplaced, ObjectMissing) as error:
                if isinstance(error, ObjectMissing) and version is None:
                    raise  # there is no bucket
                self._pause(pause_s * self._chance())
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except StoreFailed as error:
                return self._landed(attempts, error, lost)
            else:
                return Committed(changed, changed=True, lost=lost)
        raise CatalogContended(
            "others write this catalog all the time", hint="Try again later", catalog=self.url, attempts=COMMIT_TRIES
        )

    def _landed(self, attempts: set[str], error: StoreFailed, lost: int) -> Committed:
        """The outcome of an attempt whose answer was lost. Raises `error` when it is not there."""
        try:
            _, state = self.store.read()
        except BinderyError:
            raise error from None
        if attempts & {state.commit, *state.before}:
            return Committed(state, changed=True, lost=lost)
        raise error

    def add(self, bindings: Iterable[Binding]) -> Committed:
        """Bind archives, the last as the newest. One that is bound already is bound anew if it, its index or its prefix changed.

        Raises:
            As `describe`, `commit`; LocationInvalid when the catalog must not name an archive; SettingInvalid for a prefix.

        Cost:
            Four requests an archive, all of its index where a filter is needed, and the commit.
        """
        described = self._described(bindings)
        filters = _Filters(self.source)

        def change(state: CatalogState) -> CatalogState | None:
            binder = Binder(state, filters.of)
            for entry in described:
                binder.bind(entry)
            return binder.state()

        return self.commit(change)

    def remove(self, archives: Iterable[str]) -> Committed:
        """Take archives out of the catalog; they themselves stay.

        Args:
            archives: Their canonical URLs; one that is not bound is passed over.
        """
        gone = set(archives)

        def change(state: CatalogState) -> CatalogState | None:
            left = tuple(entry for entry in state.entries if entry.archive.url not in gone)
            return None if len(left) == len(state.entries) else replace(state, entries=left)

        return self.commit(change)

    def rebuild(self, folder: str, prefix: bytes = b"") -> Committed:
        """Make the catalog anew, of all archives in a folder or under a prefix that have their index beside them.

        Archives that the catalog tells now, if it can be read, keep their prefixes and order; others follow, by Last-Modified.

        Args:
            folder: As `urls.parse_prefix` spells it.
            prefix: Of keys in archives that the catalog does not tell now.
        """
        try:
            version, before = self.store.read()
        except CatalogDamaged:
            version, before = self.source.head(self.url).identity, CatalogState()
        known = {entry.archive.url: entry for entry in before.entries}
        found = sorted(
            _archives(folder, self._env), key=lambda one: (known[one[1]].sequence if one[1] in known else before.sequence + 1, *one)
        )
        told = [known.get(url) for _, url in found]
        bindings = [
            Binding(url, index_url(url), prefix) if entry is None else Binding(url, entry.index.url, entry.prefix)
            for (_, url), entry in zip(found, told, strict=True)
        ]
        empty = CatalogState(sequence=before.sequence)
        binder = Binder(empty, _Filters(self.source).of)
        for entry in self._described(bindings):
            binder.bind(entry)
        state = binder.state() or empty
        name = os.urandom(8).hex()
        state = replace(state, commit=name, before=tuple(filter(None, (before.commit, *before.before)))[:COMMITS_TOLD])
        try:
            self.store.write(write_catalog(state, self.url), replaces=version)
        except (ObjectReplaced, ObjectMissing):
            raise CatalogContended(
                "someone else changed the catalog meanwhile", hint="Rebuild it again", catalog=self.url, attempts=1
            ) from None
        return Committed(state, changed=True, lost=0)

    def check(self) -> list[Finding]:
        """Look at every archive and every index of the catalog: is it still the version told? Costs two requests each."""
        _, state = self.store.read()
        entries = sorted(state.entries, key=lambda entry: entry.sequence)
        with ThreadPoolExecutor(CHECKS, thread_name_prefix="bindery-check") as executor:
            problems = executor.map(lambda entry: self._problem(entry.archive) or self._problem(entry.index), entries)
            return [Finding(entry, problem) for entry, problem in zip(entries, problems, strict=True)]

    def _problem(self, of: Identity) -> str:
        try:
            there = self.source.head(of.url).identity
        except ObjectMissing:
            return f"{of.url} is not there"
        return "" if there == of else f"{of.url} is another version by now"

    def _describe(self, binding: Binding) -> CatalogEntry:
        local = [url for url in (binding.archive, binding.index) if split(url).scheme == FILE]
        if local and split(self.url).scheme != FILE:
            hint = "Put the catalog on this disk, or the archive into a bucket"
            raise LocationInvalid("a catalog in a bucket cannot name a local file", hint=hint, location=local[0])
        try:
            check_prefix(binding.prefix)
        except ValueError as fault:
            raise SettingInvalid(f"this prefix cannot be: {fault}", setting="prefix", value=ascii(binding.prefix)) from None
        return run(describe(binding.archive, binding.index, binding.prefix), self.source)

    def _described(self, bindings: Iterable[Binding]) -> list[CatalogEntry]:
        """What is to be told of archives, looked at side by side."""
        with ThreadPoolExecutor(CHECKS, thread_name_prefix="bindery-describe") as executor:
            return list(executor.map(self._describe, bindings))


class _Filters:
    """Filters of archives, each made once however many attempts a commit takes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._made: dict[tuple[CatalogEntry, tuple[KeyRange, ...]], bytes | None] = {}

    def of(self, entry: CatalogEntry, shared: tuple[KeyRange, ...]) -> bytes | None:
        """The filter of an archive, as `describe.filter_of`, which it costs the first time."""
        wanted = entry, shared
        if wanted not in self._made:
            self._made[wanted] = run(filter_of(entry, shared), self._source)
        return self._made[wanted]


def prefix_of(settings: PackSettings) -> bytes:
    """What stands before members' names to make the keys that their sources had."""
    return key_prefix(settings.source).encode() if settings.names is Names.RELATIVE else b""


def _archives(folder: str, env: Mapping[str, str]) -> Iterable[tuple[int, str]]:
    """The archives in a folder or under a prefix that have an index beside them: when each was last modified, and its URL."""
    prefix = parse_prefix(folder)
    scheme, bucket, key = split(prefix)
    if scheme == FILE:
        path = Path(local_path(prefix))
        indexes = sorted(path.rglob(f"*{INDEX_SUFFIX}"))
        beside = [index.with_name(index.name.removesuffix(INDEX_SUFFIX)) for index in indexes]
        return [(int(archive.stat().st_mtime), f"{FILE}://{archive}") for archive in beside if archive.is_file()]
    listed = {one.key: one.mtime_s for one in Buckets(StoreSettings.read(env), requests=1).list(bucket, key)}
    return [(mtime_s, f"{scheme}://{bucket}/{name}") for name, mtime_s in listed.items() if name + INDEX_SUFFIX in listed]
