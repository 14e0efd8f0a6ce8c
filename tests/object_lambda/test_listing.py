"""Listings against a model: a sorted dict of keys, cut by S3's rules as the API reference words them."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.drivers import run
from indexer.source.memory import MemorySource
from indexer.source.trace import Trace, TracedSource
from object_lambda.answers import ListAnswer
from object_lambda.listing import token_of
from object_lambda.requests import ListRequest
from object_lambda.s3_errors import InvalidArgument, NoSuchBucket
from object_lambda.service import Service
from tests.object_lambda.made_archives import Made, mount, put_archive, service_of, service_over

NAMES = st.text("ab/", min_size=1, max_size=5).filter(lambda name: not name.startswith("/"))
ARCHIVES = st.dictionaries(NAMES, st.just(b""), min_size=1, max_size=30)
PLACES = st.lists(st.sampled_from(["", "a", "b", "a/b", "b/a", "a/a/b", "a//b"]), min_size=1, max_size=4, unique=True)
TEXTS = st.text("ab/", max_size=3)


def model(keys: list[bytes], request: ListRequest) -> tuple[list[bytes], list[bytes], bool]:
    """What the API reference says: (keys, common prefixes, truncated)."""
    after = request.after
    found: list[tuple[bytes, bool]] = []
    for key in sorted(keys):
        if not key.startswith(request.prefix):
            continue
        at = key.find(request.delimiter, len(request.prefix)) if request.delimiter else -1
        one = (key, False) if at < 0 else (key[: at + len(request.delimiter)], True)
        if one not in found and (after is None or one[0] > after):
            found.append(one)
    page = found[: request.max_keys]
    truncated = len(found) > len(page) and request.max_keys > 0
    return [key for key, rolled in page if not rolled], [key for key, rolled in page if rolled], truncated


def told(answer: ListAnswer) -> tuple[list[bytes], list[bytes], bool]:
    return [entry.key for entry in answer.entries], answer.prefixes, answer.truncated


def shelf(archives: Mapping[str, Mapping[str, bytes]]) -> tuple[Service, MemorySource, list[bytes]]:
    """Mounts each archive at its place; returns the keys that are to be seen."""
    objects: dict[str, bytes] = {}
    mounts = []
    keys: list[bytes] = []
    places = [f"{place}/" if place else "" for place in archives]
    for number, (place, contents) in enumerate(archives.items()):
        url = f"s3://archives/{number}.tar"
        put_archive(objects, contents, url)
        mounts.append(mount(f"bucket/{place}" if place else "bucket", url))
        prefix = f"{place}/" if place else ""
        deeper = [other for other in places if other.startswith(prefix) and other != prefix]
        names = [f"{prefix}{name}" for name in contents]
        keys += [key.encode() for key in names if not key.startswith(tuple(deeper))]
    return service_over(*mounts), MemorySource(objects), keys


@given(
    data=st.data(),
    places=PLACES,
    prefix=TEXTS,
    delimiter=TEXTS,
    max_keys=st.integers(0, 6),
    after=st.none() | TEXTS,
    version=st.sampled_from([1, 2]),
)
def test_every_page_of_mounted_archives_is_what_s3_would_tell(
    *, data: st.DataObject, places: list[str], prefix: str, delimiter: str, max_keys: int, after: str | None, version: int
) -> None:
    service, source, keys = shelf({place: data.draw(ARCHIVES) for place in places})
    request = ListRequest(
        "bucket", version, prefix.encode(), delimiter.encode(), max_keys, None if after is None else after.encode()
    )
    # A mount is seen as a common prefix even where all its keys are hidden by mounts within it: the model gets a key for that.
    seen = keys + [
        f"{place}/".encode() + b"~" for place in places if place and delimiter and delimiter in f"{place}/"[len(prefix) :]
    ]
    answer = run(service.list(request), source)
    assert told(answer) == model(seen if delimiter else keys, request)


@given(contents=ARCHIVES, prefix=TEXTS, delimiter=TEXTS, max_keys=st.integers(1, 4))
def test_tokens_lead_through_the_whole_listing_once(contents: dict[str, bytes], prefix: str, delimiter: str, max_keys: int) -> None:
    service, source = service_of(contents)
    request = ListRequest("bucket", 2, prefix.encode(), delimiter.encode(), max_keys)
    keys: list[bytes] = []
    prefixes: list[bytes] = []
    token: str | None = None
    while True:
        answer = run(service.list(replace(request, token=token)), source)
        assert len(answer.entries) + len(answer.prefixes) <= max_keys
        keys += [entry.key for entry in answer.entries]
        prefixes += answer.prefixes
        if answer.last is None:
            break
        token = token_of(answer.last)
    expected = model([name.encode() for name in contents], replace(request, max_keys=1000))
    assert (keys, prefixes, False) == expected


def test_a_token_goes_before_start_after() -> None:
    service, source = service_of({"a": b"", "b": b"", "c": b""})
    answer = run(service.list(ListRequest("bucket", after=b"b", token=token_of(b"a"))), source)
    assert told(answer) == ([b"b", b"c"], [], False)


@pytest.mark.parametrize("token", ["!", "YWJj", "AWE=", "AQ==", "x" * 1001, "ä"])
def test_a_token_of_someone_else_is_refused(token: str) -> None:
    service, source = service_of({"a": b""})
    with pytest.raises(InvalidArgument, match="continuation token"):
        run(service.list(ListRequest("bucket", token=token)), source)


def test_an_unknown_bucket_is_no_empty_listing() -> None:
    service, source = service_of({"a": b""})
    with pytest.raises(NoSuchBucket):
        run(service.list(ListRequest("another", max_keys=0)), source)


def test_the_page_of_a_delimiter_listing_costs_one_window_for_each_prefix() -> None:
    contents = {f"{folder:02}/{name:05}": b"" for folder in range(12) for name in range(2_000)}
    service, memory = service_of(contents)
    source = TracedSource(memory, Trace())
    answer = run(service.list(ListRequest("bucket", delimiter=b"/")), source)
    assert answer.prefixes == [f"{folder:02}/".encode() for folder in range(12)]
    assert source.trace.depth <= 1 + 12


def test_mounts_are_seen_without_being_opened() -> None:
    mounts = [mount(f"bucket/{place}", f"s3://archives/{number}.tar") for number, place in enumerate(["a", "b/c", "b/d"])]
    service, source = service_over(*mounts), TracedSource(MemorySource({}), Trace())
    answer = run(service.list(ListRequest("bucket", delimiter=b"/")), source)
    assert (answer.prefixes, source.trace.requests) == ([b"a/", b"b/"], 0)


def test_archives_outside_of_the_prefix_are_not_opened() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, {"x": b""}, "s3://archives/0.tar")
    service = service_over(mount("bucket/a", "s3://archives/0.tar"), mount("bucket/b", "s3://archives/absent.tar"))
    answer = run(service.list(ListRequest("bucket", prefix=b"a/")), MemorySource(objects))
    assert told(answer) == ([b"a/x"], [], False)


def test_size_etag_and_time_are_those_of_the_member() -> None:
    service, source = service_of({"a": Made(b"12345", mtime_s=1_600_000_000, etag="0123456789abcdef0123456789abcdef")})
    (entry,) = run(service.list(ListRequest("bucket")), source).entries
    assert entry == (b"a", 5, "0123456789abcdef0123456789abcdef", 1_600_000_000, "STANDARD")
