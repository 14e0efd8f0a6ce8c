"""Commits to a catalog: many writers lose nothing, a kill leaves old or new, an answer that is lost is found out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import md5
from pathlib import Path

import pytest

from archiver import catalog as catalogs
from archiver.catalog import Binding, CatalogEditor
from indexer.catalogfile.entry import CatalogState
from indexer.catalogfile.reader import open_catalog
from indexer.catalogfile.window import window
from indexer.drivers import run
from indexer.errors import (
    CatalogContended,
    CatalogDamaged,
    IndexMissing,
    LocationInvalid,
    ObjectMissing,
    ObjectReplaced,
    SettingInvalid,
    SourceEmpty,
    StoreFailed,
)
from indexer.indexfile.writer import ArchiveFacts, write_index
from indexer.model import Codec, Extent, Frame, Member
from indexer.source.local import LocalSource
from indexer.source.route import open_source
from indexer.urls import index_url
from tests.archiver.proxy import proxy
from tests.servers.ministack import Bucket, Ministack

WRITERS = 10


@dataclass
class Place:
    """A folder or a bucket for archives and a catalog of them."""

    base: str
    env: Mapping[str, str]
    put: Callable[[str, bytes], str]
    """Puts an object, and tells its ETag."""

    @property
    def catalog(self) -> str:
        return f"{self.base}/catalog.bindery-catalog"

    def editor(self, env: Mapping[str, str] | None = None) -> CatalogEditor:
        return CatalogEditor(self.catalog, env or self.env, pause=lambda seconds: None, chance=lambda: 0.5)

    def archive(self, name: str, members: Mapping[str, bytes]) -> Binding:
        """An archive of these members with its index."""
        data = b"archive "
        made = []
        for member in sorted(members):
            body = members[member]
            extents = (Extent(Frame(len(data), len(body), len(body), Codec.STORED), 0, len(body)),) if body else ()
            made.append(Member(member.encode(), len(body), 1_700_000_000, extents))
            data += body
        etag = self.put(name, data)
        index = bytearray()
        write_index(made, ArchiveFacts(etag, len(data), "tar"), index.extend)
        self.put(index_url(name), bytes(index))
        url = f"{self.base}/{name}"
        return Binding(url, index_url(url))

    def state(self) -> CatalogState:
        source = open_source(self.env)
        return run(run(open_catalog(self.catalog), source).state(), source)

    def bound(self) -> list[str]:
        """The names of the archives bound, the oldest first."""
        return [entry.archive.url.rpartition("/")[2] for entry in sorted(self.state().entries, key=lambda entry: entry.sequence)]

    def keys(self) -> list[str]:
        source = open_source(self.env)
        return [member.key for member in run(window(run(open_catalog(self.catalog), source), b"", 10_000), source).members]


def folder_place(folder: Path) -> Place:
    def put(name: str, data: bytes) -> str:
        (folder / name).write_bytes(data)
        return LocalSource().head(f"file://{folder}/{name}").identity.etag

    return Place(f"file://{folder}", {}, put)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return folder_place(tmp_path)
    bucket: Bucket = request.getfixturevalue("s3_bucket")
    return Place(bucket.url, bucket.server.env, bucket.put)


@pytest.fixture
def in_bucket(s3_bucket: Bucket) -> Place:
    return Place(s3_bucket.url, s3_bucket.server.env, s3_bucket.put)


def test_archives_are_bound_bound_anew_and_removed(place: Place) -> None:
    one, two = place.archive("1.tar", {"a": b"1", "c": b"1"}), place.archive("2.tar", {"b": b"2"})
    editor = place.editor()
    assert editor.add([one]).changed
    assert editor.add([two]).changed
    assert (place.bound(), place.keys()) == (["1.tar", "2.tar"], ["a", "b", "c"])
    assert editor.add([replace(one, prefix=b"x/")]).changed
    assert (place.bound(), place.keys()) == (["2.tar", "1.tar"], ["b", "x/a", "x/c"])
    assert editor.remove([one.archive, "s3://nothing/here"]).changed
    assert (place.bound(), place.keys()) == (["2.tar"], ["b"])
    assert place.state().sequence == 3


def test_what_is_bound_already_is_not_written_again(place: Place) -> None:
    one = place.archive("1.tar", {"a": b"1"})
    editor = place.editor()
    editor.add([one])
    before = place.state().commit
    assert not editor.add([one]).changed
    assert not editor.remove(["s3://nothing/here"]).changed
    assert place.state().commit == before


def test_an_archive_that_was_only_indexed_again_stays_as_old_as_it_was(place: Place) -> None:
    one, two = place.archive("1.tar", {"a": b"1", "b": b"1"}), place.archive("2.tar", {"a": b"2", "b": b"2"})
    editor = place.editor()
    editor.add([one, two])
    elsewhere = replace(one, index=f"{place.base}/elsewhere")
    place.put("elsewhere", open_source(place.env).tail(one.index, 1 << 20).data)
    assert editor.add([elsewhere]).changed
    assert place.bound() == ["1.tar", "2.tar"]
    told = {entry.archive.url: (entry.index.url, entry.filter is None) for entry in place.state().entries}
    assert told == {one.archive: (elsewhere.index, True), two.archive: (two.index, False)}


def test_only_an_archive_above_an_older_one_gets_a_filter(place: Place) -> None:
    editor = place.editor()
    for name, members in (("1.tar", "ac"), ("2.tar", "bd"), ("3.tar", "xy"), ("4.tar", "c")):
        editor.add([place.archive(name, dict.fromkeys(members, b"x"))])
    filtered = {entry.archive.url.rpartition("/")[2]: entry.filter is not None for entry in place.state().entries}
    assert filtered == {"1.tar": False, "2.tar": True, "3.tar": False, "4.tar": True}


WRITER = """
import os, sys
from archiver.catalog import Binding, CatalogEditor
url, *archives = sys.argv[1:]
editor = CatalogEditor(url, os.environ)
sys.stdin.read(1)
for archive in archives:
    editor.add([Binding(archive, archive + ".bindery")])
"""


def writer(place: Place, *bindings: Binding, script: str = WRITER, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A process that binds archives, one commit each, once it is sent a byte."""
    command = [sys.executable, "-c", script, place.catalog, *(binding.archive for binding in bindings)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **place.env, **(env or {})})


def test_ten_writers_at_once_lose_nothing(place: Place) -> None:
    bindings = [place.archive(f"{number:02}.tar", {f"{number:02}": b"x"}) for number in range(3 * WRITERS)]
    processes = [writer(place, *bindings[number::WRITERS]) for number in range(WRITERS)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"!")
        process.stdin.close()
    assert [process.wait(120) for process in processes] == [0] * WRITERS
    state = place.state()
    assert sorted(place.bound()) == [f"{number:02}.tar" for number in range(3 * WRITERS)]
    assert sorted(entry.sequence for entry in state.entries) == list(range(1, 3 * WRITERS + 1))
    assert len(state.before) == 3 * WRITERS - 1
    assert place.keys() == [f"{number:02}" for number in range(3 * WRITERS)]


KILLED = """
import os, signal, sys
from pathlib import Path
from archiver import catalogstore
from archiver.catalog import Binding, CatalogEditor

when, (url, archive) = os.environ["WHEN"], sys.argv[1:]

def dying(work, *, first):
    def call(*arguments, **options):
        if first:
            os.kill(os.getpid(), signal.SIGKILL)
        done = work(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    return call

if when == "before it is durable":
    catalogstore.os.fsync = dying(os.fsync, first=True)
else:
    Path.replace = dying(Path.replace, first=when == "before it is renamed")
CatalogEditor(url, os.environ).add([Binding(archive, archive + ".bindery")])
"""


@pytest.mark.parametrize(
    ("when", "left"),
    [
        ("before it is durable", ["1.tar"]),
        ("before it is renamed", ["1.tar"]),
        ("after it was renamed", ["1.tar", "2.tar"]),
    ],
)
def test_a_writer_killed_on_a_disk_leaves_the_old_or_the_new(tmp_path: Path, when: str, left: list[str]) -> None:
    place = folder_place(tmp_path)
    place.editor().add([place.archive("1.tar", {"a": b"1"})])
    two = place.archive("2.tar", {"b": b"2"})
    assert writer(place, two, script=KILLED, env={"WHEN": when}).wait(60) == -signal.SIGKILL
    assert place.bound() == left
    place.editor().add([two])
    assert place.bound() == ["1.tar", "2.tar"]
    kept = [".catalog.bindery-catalog.lock", "1.tar", "1.tar.bindery", "2.tar", "2.tar.bindery", "catalog.bindery-catalog"]
    assert sorted(path.name for path in tmp_path.iterdir()) == kept


@pytest.mark.parametrize(("what", "left"), [("refuse", ["1.tar"]), ("lose", ["1.tar", "2.tar"])])
def test_a_writer_killed_in_mid_put_leaves_the_old_or_the_new(
    in_bucket: Place, ministack: Ministack, what: str, left: list[str]
) -> None:
    in_bucket.editor().add([in_bucket.archive("1.tar", {"a": b"1"})])
    two = in_bucket.archive("2.tar", {"b": b"2"})
    with proxy(ministack) as between:
        process = writer(in_bucket, two, env=between.env(ministack))

        def kill(number: int, name: str) -> str:
            if not name.startswith("PUT"):
                return ""
            process.kill()
            return what

        between.spoil = kill
        process.communicate(b"!", 60)
        assert process.returncode == -signal.SIGKILL
        assert sum(name.startswith("PUT") for name in between.seen) == 1
    assert in_bucket.bound() == left
    in_bucket.editor().add([two])
    assert in_bucket.bound() == ["1.tar", "2.tar"]


def losing(first: int) -> Callable[[int, str], str]:
    """Loses the answers to the first so many PUTs."""
    left = iter(range(first))
    return lambda number, name: "lose" if name.startswith("PUT") and next(left, None) is not None else ""


@pytest.mark.parametrize("lost", [1, 5])
def test_a_commit_whose_answer_was_lost_is_found_to_have_succeeded(in_bucket: Place, ministack: Ministack, lost: int) -> None:
    """boto3 tries five times: after one lost answer its second try meets the first (412); after five it gives up."""
    one = in_bucket.archive("1.tar", {"a": b"1"})
    with proxy(ministack) as between:
        between.spoil = losing(lost)
        done = in_bucket.editor(between.env(ministack)).add([one])
        assert done.changed
        assert sum(name.startswith("PUT") for name in between.seen) == max(lost, 2)
    state = in_bucket.state()
    assert (in_bucket.bound(), state.sequence, state.before) == (["1.tar"], 1, ())


def test_a_lost_answer_is_found_beneath_the_commits_of_others(in_bucket: Place, ministack: Ministack) -> None:
    """Another writer removes what the lost commit bound: it is not bound a second time."""
    one, two = in_bucket.archive("1.tar", {"a": b"1"}), in_bucket.archive("2.tar", {"b": b"2"})
    with proxy(ministack) as between:
        editor = in_bucket.editor(between.env(ministack))
        write, lose = editor.store.write, losing(5)
        between.spoil = lose

        def then_others(data: bytes, **options: object) -> None:
            try:
                write(data, **options)  # type: ignore[arg-type]
            finally:
                other = in_bucket.editor()
                other.add([two])
                other.remove([one.archive])

        editor.store.write = then_others  # type: ignore[method-assign]
        assert editor.add([one]).changed
    assert in_bucket.bound() == ["2.tar"]


def test_a_store_that_fails_is_told_and_nothing_is_written(in_bucket: Place) -> None:
    editor = in_bucket.editor()

    def fail(data: bytes, **options: object) -> None:
        raise StoreFailed("down")

    editor.store.write = fail  # type: ignore[method-assign]
    with pytest.raises(StoreFailed):
        editor.add([in_bucket.archive("1.tar", {"a": b"1"})])
    assert editor.store.read() == (None, CatalogState())


def test_a_writer_that_always_comes_second_gives_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogs, "COMMIT_TRIES", 7)
    pauses: list[float] = []
    editor = CatalogEditor(place.catalog, place.env, pause=pauses.append, chance=lambda: 1.0)

    def lose(data: bytes, **options: object) -> None:
        raise ObjectReplaced("another")

    editor.store.write = lose  # type: ignore[method-assign]
    with pytest.raises(CatalogContended):
        editor.add([place.archive("1.tar", {"a": b"1"})])
    assert pauses == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28]


def test_a_bucket_that_is_not_there_is_told_at_once(in_bucket: Place) -> None:
    one = in_bucket.archive("1.tar", {"a": b"1"})
    with pytest.raises(ObjectMissing, match="bucket"):
        CatalogEditor("s3://no-such-bucket-at-all/c.bindery-catalog", in_bucket.env).add([one])


def test_what_cannot_be_bound_is_refused_and_changes_nothing(place: Place) -> None:
    editor = place.editor()
    empty = place.archive("empty.tar", {})
    alone = replace(empty, index=f"{place.base}/other.bindery")
    good = place.archive("1.tar", {"a": b"1"})
    with pytest.raises(SourceEmpty):
        editor.add([good, empty])
    with pytest.raises(IndexMissing):
        editor.add([good, alone])
    for prefix in (b"/", b"../", b"\xff", b"a/../"):
        with pytest.raises(SettingInvalid):
            editor.add([replace(good, prefix=prefix)])
    assert editor.store.read() == (None, CatalogState())
    with pytest.raises(LocationInvalid):
        CatalogEditor(f"{place.base}/catalog", place.env)


def test_a_catalog_in_a_bucket_names_no_local_file(in_bucket: Place, tmp_path: Path) -> None:
    local = folder_place(tmp_path).archive("1.tar", {"a": b"1"})
    with pytest.raises(LocationInvalid, match="local file"):
        in_bucket.editor().add([local])


def test_a_catalog_is_made_anew_from_what_is_there(place: Place) -> None:
    editor = place.editor()
    three = place.archive("3.tar", {"a": b"3"})
    one = place.archive("1.tar", {"a": b"1"})
    editor.add([replace(three, prefix=b"x/"), one])
    place.archive("2.tar", {"a": b"2", "b": b"2"})
    place.put("no-index.tar", b"")
    editor.rebuild(f"{place.base}/", b"y/")
    assert place.bound() == ["3.tar", "1.tar", "2.tar"]
    assert place.keys() == ["a", "x/a", "y/a", "y/b"]


def test_a_damaged_catalog_is_made_anew_and_else_left_alone(place: Place) -> None:
    one = place.archive("1.tar", {"a": b"1"})
    place.editor().add([one])
    place.put("catalog.bindery-catalog", b"rubbish")
    with pytest.raises(CatalogDamaged):
        place.editor().add([one])
    place.editor().rebuild(f"{place.base}/")
    assert place.bound() == ["1.tar"]


def test_a_rebuild_does_not_pass_over_what_was_bound_meanwhile(place: Place) -> None:
    one, two = place.archive("1.tar", {"a": b"1"}), place.archive("2.tar", {"b": b"2"})
    editor = place.editor()
    editor.add([one])
    read = editor.store.read

    def read_then_another() -> object:
        told = read()
        place.editor().add([two])
        return told

    editor.store.read = read_then_another  # type: ignore[method-assign, assignment]
    with pytest.raises(CatalogContended):
        editor.rebuild(f"{place.base}/")
    assert place.bound() == ["1.tar", "2.tar"]


def test_a_check_tells_what_was_replaced_and_what_is_gone(place: Place) -> None:
    editor = place.editor()
    editor.add([place.archive(f"{number}.tar", {f"{number}": b"x"}) for number in range(4)])
    place.put("1.tar", b"another archive")
    place.archive("2.tar.bindery", {})  # an index's name, and then something else's bytes
    assert [bool(finding.problem) for finding in editor.check()] == [False, True, True, False]


def test_two_commits_in_one_tick_of_the_clock_are_two_versions(tmp_path: Path) -> None:
    place = folder_place(tmp_path)
    one = place.archive("1.tar", {"a": b"1"})
    editor = place.editor()
    seen = set()
    for _ in range(20):
        editor.add([one])
        seen.add(LocalSource().head(place.catalog).identity.etag)
        editor.remove([one.archive])
        seen.add(LocalSource().head(place.catalog).identity.etag)
    assert len(seen) == 40


def test_readers_meanwhile_see_whole_commits_only(place: Place) -> None:
    """A writer binds two archives at a time; no reader ever sees one of a pair alone."""
    pairs = [[place.archive(f"{number}{half}.tar", {f"{number}{half}": b"x"}) for half in "ab"] for number in range(6)]
    place.editor().add(pairs[0])
    script = WRITER.replace("for archive in archives:", "for at in range(0, len(archives), 2):").replace(
        'editor.add([Binding(archive, archive + ".bindery")])',
        "editor.add([Binding(archive, archive + '.bindery') for archive in archives[at : at + 2]])",
    )
    process = writer(place, *(binding for pair in pairs[1:] for binding in pair), script=script)
    assert process.stdin is not None
    process.stdin.write(b"!")
    process.stdin.close()
    while process.poll() is None:
        keys = place.keys()
        assert len(keys) % 2 == 0
    assert process.returncode == 0
    assert len(place.keys()) == 12


def test_an_etag_in_a_bucket_is_that_of_the_bytes_written(in_bucket: Place) -> None:
    in_bucket.editor().add([in_bucket.archive("1.tar", {"a": b"1"})])
    source = open_source(in_bucket.env)
    told = source.head(in_bucket.catalog).identity
    assert told.etag == md5(source.tail(in_bucket.catalog, told.size).data).hexdigest()
