"""The handler's settings: the variables of the system it replaces, read once, all problems told together."""

from pathlib import Path

import pytest

from indexer.errors import LocationInvalid, SettingInvalid
from indexer.limits import MIB
from object_lambda.mounts import ANY_BUCKET, Mount, Mounts
from object_lambda.settings import CACHE_BYTES, CACHE_UNIT_BYTES, MEMORY_BYTES, Settings
from object_lambda.vmap import parse_entry

ONE = {"S3ARCHIVEFS_PREFIX_VMAP1": "a|s3://archives/a.zip"}


def mount(prefix: bytes, archive: str) -> Mount:
    return Mount(ANY_BUCKET, prefix, archive, archive + ".bindery")


@pytest.mark.parametrize(
    ("entry", "prefix", "archive"),
    [
        ("virtual/prefix|s3://bucket/some/archive.zip", b"virtual/prefix/", "s3://bucket/some/archive.zip"),
        ("virtual/prefix/|s3://bucket/archive.zip", b"virtual/prefix/", "s3://bucket/archive.zip"),
        ("///virtual//prefix|s3://bucket/archive.zip", b"virtual//prefix/", "s3://bucket/archive.zip"),
        ("/|s3://bucket/archive.zip", b"", "s3://bucket/archive.zip"),
        ("|s3://bucket/archive.zip", b"", "s3://bucket/archive.zip"),
        ("a b|s3://bucket/my archive #1 100%.zip", b"a b/", "s3://bucket/my archive #1 100%.zip"),
        ("日志|s3://bucket/archive.zip", "日志/".encode(), "s3://bucket/archive.zip"),
        ("v|file:///mnt/archive.zip", b"v/", "file:///mnt/archive.zip"),
    ],
)
def test_an_entry_names_a_prefix_and_an_archive(entry: str, prefix: bytes, archive: str) -> None:
    assert parse_entry(entry) == mount(prefix, archive)


@pytest.mark.parametrize(
    "entry", ["", "prefix", "a|b|s3://bucket/key", "a|bucket/key", "a|s3://bucket", "a|s3://bucket/", "a|http://bucket/key", "a|"]
)
def test_what_is_no_entry_is_told(entry: str) -> None:
    with pytest.raises(ValueError, match=r"s3://bucket/key|no way to read"):
        parse_entry(entry)


def test_gaps_in_the_numbers_end_nothing() -> None:
    env = {f"S3ARCHIVEFS_PREFIX_VMAP{number}": f"p{number}|s3://archives/{number}.zip" for number in (2, 5, 20)}
    env["S3ARCHIVEFS_PREFIX_VMAP3"] = " "
    settings = Settings.read(env)
    assert [mount.prefix for mount in settings.mounts] == [b"p2/", b"p5/", b"p20/"]
    assert settings.notices == ()


def test_a_file_adds_entries_with_comments_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "map"
    path.write_text("# our archives\n\n  b|s3://archives/b.zip  \r\n/|s3://archives/root.zip")
    settings = Settings.read({**ONE, "S3ARCHIVEFS_PREFIX_VMAP_EXT_FILE": str(path)})
    assert [mount.prefix for mount in settings.mounts] == [b"a/", b"b/", b""]


def test_of_two_entries_at_one_place_the_later_counts_and_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "map"
    path.write_text("/a/|s3://archives/of-file.zip\n")
    env = {
        "S3ARCHIVEFS_PREFIX_VMAP1": "a|s3://archives/first.zip",
        "S3ARCHIVEFS_PREFIX_VMAP2": "a/|s3://archives/second.zip",
        "S3ARCHIVEFS_PREFIX_VMAP_EXT_FILE": str(path),
    }
    settings = Settings.read(env)
    assert settings.mounts == (mount(b"a/", "s3://archives/of-file.zip"),)
    assert settings.notices == (
        "S3ARCHIVEFS_PREFIX_VMAP2: a/ was mapped by S3ARCHIVEFS_PREFIX_VMAP1 already; S3ARCHIVEFS_PREFIX_VMAP2 counts",
        f"{path}:1: a/ was mapped by S3ARCHIVEFS_PREFIX_VMAP2 already; {path}:1 counts",
    )
    Mounts(settings.mounts)


def test_a_prefix_covers_whole_segments_only() -> None:
    mounts = Mounts(Settings.read({"S3ARCHIVEFS_PREFIX_VMAP1": "virtual/prefix1|s3://archives/1.zip"}).mounts)
    assert mounts.covering(ANY_BUCKET, b"virtual/prefix1/f") is not None
    assert mounts.covering(ANY_BUCKET, b"virtual/prefix10/f") is None
    assert mounts.covering(ANY_BUCKET, b"virtual/prefix1") is None


def test_unset_variables_mean_the_defaults() -> None:
    settings = Settings.read({**ONE, "S3ARCHIVEFS_CACHE_DIR": "", "S3ARCHIVEFS_CACHE_CHUNK_SIZE": ""})
    assert (settings.cache_folder, settings.cache_unit_bytes) == ("/tmp/bindery", CACHE_UNIT_BYTES)
    assert (settings.cache_bytes, settings.memory_bytes) == (CACHE_BYTES, MEMORY_BYTES)


def test_sizes_are_taken_as_they_are_set() -> None:
    env = {"S3ARCHIVEFS_CACHE_DIR": "/mnt/cache", "S3ARCHIVEFS_CACHE_CHUNK_SIZE": "65536"}
    env |= {"BINDERY_CACHE_BYTES": "0", "BINDERY_MEMORY_BYTES": "1000000"}
    settings = Settings.read(ONE | env)
    assert (settings.cache_folder, settings.cache_unit_bytes) == ("/mnt/cache", 65536)
    assert (settings.cache_bytes, settings.memory_bytes) == (0, 1_000_000)


@pytest.mark.parametrize(("asked", "taken"), [("1", 4096), ("4294967296", 8 * MIB)])
def test_a_chunk_size_out_of_bounds_is_brought_within_and_told(asked: str, taken: int) -> None:
    settings = Settings.read({**ONE, "S3ARCHIVEFS_CACHE_CHUNK_SIZE": asked})
    assert settings.cache_unit_bytes == taken
    assert settings.notices == (f"S3ARCHIVEFS_CACHE_CHUNK_SIZE: {asked} is out of bounds, {taken} is used",)


def test_all_problems_are_told_together(tmp_path: Path) -> None:
    env = {
        "S3ARCHIVEFS_PREFIX_VMAP1": "nothing",
        "S3ARCHIVEFS_PREFIX_VMAP4": "a|b",
        "S3ARCHIVEFS_PREFIX_VMAP_EXT_FILE": str(tmp_path / "absent"),
        "S3ARCHIVEFS_CACHE_DIR": "relative/folder",
        "S3ARCHIVEFS_CACHE_CHUNK_SIZE": "1 MiB",
        "BINDERY_CACHE_BYTES": "-1",
        "BINDERY_MEMORY_BYTES": "1e9",
    }
    with pytest.raises(SettingInvalid) as caught:
        Settings.read(env)
    assert str(caught.value.facts["setting"]).split(", ") == sorted(env, key=str(caught.value).index)
    assert not isinstance(caught.value, LocationInvalid)


def test_a_map_of_nothing_is_a_problem() -> None:
    with pytest.raises(SettingInvalid, match="nothing is mapped"):
        Settings.read({})


SECRET = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("winner", ["bound", "live"])
def test_an_overlay_is_asked_for_with_the_side_that_wins(winner: str) -> None:
    settings = Settings.read({**ONE, "BINDERY_OVERLAY": winner, "BINDERY_TOKEN_SECRET": SECRET})
    assert (settings.overlay, settings.token_secret) == (winner, SECRET)
    assert SECRET not in repr(settings)
    assert Settings.read(ONE).overlay is None


@pytest.mark.parametrize(
    ("overlay", "secret", "named"),
    [
        ("both", SECRET, "BINDERY_OVERLAY"),
        ("bound", "", "BINDERY_TOKEN_SECRET"),
        ("live", SECRET[1:], "BINDERY_TOKEN_SECRET"),
        ("?", "", "BINDERY_OVERLAY, BINDERY_TOKEN_SECRET"),
    ],
)
def test_an_overlay_that_cannot_work_is_told_at_the_start(overlay: str, secret: str, named: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        Settings.read({**ONE, "BINDERY_OVERLAY": overlay, "BINDERY_TOKEN_SECRET": secret})
    assert caught.value.facts["setting"] == named
    assert not secret or secret not in str(caught.value)
