"""What is selected, in which order, and what stands for it all."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.folders import BROKEN, OUTSIDE, SPECIAL
from archiver.names import MEMBER_BYTES, derived, fault
from archiver.ordering import in_order
from archiver.progress import Phase, Silent
from archiver.select import Selection, select
from archiver.settings import Format, Names, PackSettings
from archiver.sources import Chosen
from indexer.errors import LocationInvalid, ObjectMissing, SettingInvalid, SourceEmpty, SourceUnpackable, StoreFailed
from tests.archiver.trees import odd_tree, write_tree
from tests.servers.ministack import Bucket


def selected(source: Path | str, **settings: object) -> list[Chosen]:
    selection = select(PackSettings(str(source), "unused/", **settings), Silent())  # type: ignore[arg-type]
    try:
        return list(selection.rows)
    finally:
        selection.close()


def sources(source: Path | str, **settings: object) -> str:
    selection = select(PackSettings(str(source), "unused/", **settings), Silent())  # type: ignore[arg-type]
    selection.close()
    return selection.sources


def test_a_folder_is_walked_in_the_byte_order_of_whole_paths(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, odd_tree())
    names = [chosen.name for chosen in selected(tree)]
    assert names == sorted(key.encode() for key in odd_tree())


@given(st.lists(st.binary(max_size=3), max_size=60))
def test_names_are_sorted_as_if_all_fitted_memory(tmp_path_factory: pytest.TempPathFactory, names: list[bytes]) -> None:
    assert list(in_order(names, tmp_path_factory.getbasetemp(), run_names=3)) == sorted(set(names))


def test_more_runs_than_are_merged_at_once_are_merged_in_steps(tmp_path: Path) -> None:
    names = [b"%04d" % (number * 7919 % 1000) for number in range(1000)]
    assert list(in_order(names, tmp_path, run_names=5)) == sorted(names)


def test_links_out_of_the_folder_and_special_files_are_reported_and_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_tree(folder, {"file": b"1", "sub/other": b"2"})
    (tmp_path / "secret").write_bytes(b"outside")
    (folder / "a-link").symlink_to("sub/other")
    (folder / "b-out").symlink_to("../secret")
    (folder / "c-folder").symlink_to("sub")
    (folder / "d-broken").symlink_to("nothing")
    (folder / "e-circle").symlink_to("e-circle")
    os.mkfifo(folder / "f-pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "g-socket"))
        selection = select(PackSettings(str(folder), "unused/"), Silent())
    assert [chosen.name for chosen in selection.rows] == [b"a-link", b"file", b"sub/other"]
    assert selection.left_out.counts == {OUTSIDE: 3, BROKEN: 1, SPECIAL: 2}


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).write_bytes(b"1")
    (tmp_path / "fine").write_bytes(b"1")
    with pytest.raises(SourceUnpackable, match="1 key cannot be packed"):
        selected(tmp_path)
    assert [chosen.name for chosen in selected(tmp_path, leave_out_unpackable=True)] == [b"fine"]


def test_the_hash_tells_sources_apart_and_nothing_else(tmp_path: Path) -> None:
    tree = {"a": b"1", "b": b"2"}
    first = sources(write_tree(tmp_path / "one", tree))
    assert sources(write_tree(tmp_path / "two", tree)) == first
    os.utime(tmp_path / "two/a", (5, 5))
    touched = sources(tmp_path / "two")
    (tmp_path / "two/a").rename(tmp_path / "two/c")
    assert len({first, touched, sources(tmp_path / "two")}) == 3


def test_an_empty_folder_is_nothing_to_pack(tmp_path: Path) -> None:
    with pytest.raises(SourceEmpty):
        selected(tmp_path)


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LocationInvalid, match="no such folder or listing"):
        selected(tmp_path / "absent")


def test_keys_out_of_order_are_noticed(tmp_path: Path) -> None:
    selection = Selection(None, "stem", scratch=tmp_path)  # type: ignore[arg-type]
    selection.add(Chosen(b"b", "s3://b/b", 1, "e", 0))
    with pytest.raises(StoreFailed, match="out of order"):
        selection.add(Chosen(b"a", "s3://b/a", 1, "e", 0))
    selection.close()


def test_progress_adds_up(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    class Told(Silent):
        def advance(self, members: int, member_bytes: int) -> None:
            told.append((members, member_bytes))

        def begin(self, phase: Phase, members: int | None, member_bytes: int | None) -> None:
            assert phase is Phase.SELECT

    write_tree(tmp_path, {f"{number:04d}": b"12345" for number in range(1203)})
    select(PackSettings(str(tmp_path), "unused/"), Told()).close()
    assert len(told) == 3
    assert tuple(map(sum, zip(*told, strict=True))) == (1203, 5 * 1203)


class TestListing:
    def test_lines_are_sorted_and_counted_once_whatever_ends_them(self, tmp_path: Path) -> None:
        tree = write_tree(tmp_path / "in", {"b": b"2", "a/c": b"1", "z": b"3"})
        listing = tmp_path / "listing.txt"
        listing.write_bytes(b"z\r\nb\n\r\n\na/c\nb")
        chosen = selected(listing, base=str(tree))
        assert [(one.name, one.size) for one in chosen] == [(b"a/c", 1), (b"b", 1), (b"z", 1)]
        assert sources(listing, base=str(tree)) == sources(tree)

    def test_without_a_base_files_are_called_by_their_paths(self, tmp_path: Path) -> None:
        tree = write_tree(tmp_path / "in", {"b": b"2"})
        (tmp_path / "listing").write_text(f"{tree}/b\nfile://{tree}/b\n")
        assert [one.name for one in selected(tmp_path / "listing")] == [f"{tree}/b"[1:].encode()]

    def test_objects_of_one_bucket_are_called_by_their_keys(self, s3_bucket: Bucket, tmp_path: Path) -> None:
        s3_bucket.put("in/b", b"2")
        s3_bucket.put("in/a", b"1")
        (tmp_path / "listing").write_text(f"{s3_bucket.url}/in/b\n{s3_bucket.url}/in/a\n")
        env = s3_bucket.server.env
        chosen = selected(tmp_path / "listing", env=env)
        listed = selected(f"{s3_bucket.url}/in/", env=env, names=Names.KEY)
        assert chosen == listed
        (tmp_path / "keys").write_text("b\na\n")
        assert selected(tmp_path / "keys", env=env, base=f"{s3_bucket.url}/in/") == selected(f"{s3_bucket.url}/in/", env=env)

    def test_objects_of_several_buckets_are_called_by_bucket_and_key(self, s3_bucket: Bucket, tmp_path: Path) -> None:
        other = f"{s3_bucket.name}-0"
        s3_bucket.client.create_bucket(Bucket=other)
        s3_bucket.client.put_object(Bucket=other, Key="k", Body=b"1")
        s3_bucket.put("k", b"2")
        try:
            (tmp_path / "listing").write_text(f"{s3_bucket.url}/k\ns3://{other}/k\n")
            names = [one.name for one in selected(tmp_path / "listing", env=s3_bucket.server.env)]
        finally:
            s3_bucket.client.delete_object(Bucket=other, Key="k")
            s3_bucket.client.delete_bucket(Bucket=other)
        assert names == [f"{other}/k".encode(), f"{s3_bucket.name}/k".encode()]  # - sorts before /

    def test_what_is_listed_and_not_there_is_named(self, s3_bucket: Bucket, tmp_path: Path) -> None:
        (tmp_path / "listing").write_text(f"{s3_bucket.url}/absent\n")
        with pytest.raises(ObjectMissing, match="absent"):
            selected(tmp_path / "listing", env=s3_bucket.server.env)
        (tmp_path / "listing").write_text(f"{tmp_path}/absent\n")
        with pytest.raises(ObjectMissing, match="the listing names what is not there"):
            selected(tmp_path / "listing")

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            (b"gs://other/store", "line 2 of the listing: there is no way to read gs://"),
            (b"x" * 5000, "line 2 of the listing: is too long"),
            (b"\xff", "line 2 of the listing: is not UTF-8"),
            (b"../outside", "does not lie below"),
            (b"s3://bucket/key", "does not lie below"),
        ],
    )
    def test_a_line_that_names_nothing_is_told_by_its_number(self, tmp_path: Path, line: bytes, problem: str) -> None:
        write_tree(tmp_path / "in", {"a": b"1"})
        (tmp_path / "listing").write_bytes(b"a\n" + line + b"\n")
        with pytest.raises(LocationInvalid, match=problem):
            selected(tmp_path / "listing", base=str(tmp_path / "in"))


def test_derived_names_are_plain_and_tell_the_sources() -> None:
    assert derived("logs", "0123456789abcdef", Format.TAR_ZST) == "logs-01234567.tar.zst"
    assert derived("a b/ü", "0123456789abcdef", Format.ZIP) == "a-b-01234567.zip"
    assert derived("☃", "0123456789abcdef", Format.ZIP) == "archive-01234567.zip"


def test_settings_tell_all_problems_at_once() -> None:
    with pytest.raises(SettingInvalid, match=r"source is empty; memory is below 128 MiB; threads is below 1"):
        PackSettings("", "x", memory_bytes=1, threads=0)


def test_an_object_whose_frames_no_index_could_tell_is_refused_before_it_is_fetched() -> None:
    assert fault(b"dump.sql", MEMBER_BYTES) is None
    assert "longer than" in str(fault(b"dump.sql", MEMBER_BYTES + 1))
