"""Listings over the wire, by boto3 and by hand: ceph's s3-tests, whose names stand in brackets, each for both versions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from indexer.source.memory import AsyncMemorySource
from tests.object_lambda.made_archives import mount, put_archive, service_over
from tests.servers.gateway import GatewayServer, running_gateway

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
TREE = ("asdf", "boo/bar", "boo/baz/xyzzy", "cquux/bla", "cquux/thud")
SPECIAL = ("0/", *(f"0/{number}" for number in range(1000, 1999)), "1999", "1999#", "1999+", "2000")
"""Of 'special' characters that sort around the slash."""

BUCKETS: dict[str, tuple[str, ...]] = {
    "basic": ("bar", "baz", "foo", "quxx"),
    "delimited": ("asdf", "foo/bar", "foo/bar/xyzzy", "quux/thud"),
    "tree": TREE,
    "underscore": ("_obj1_", "_under1/bar", "_under1/baz/xyzzy", "_under2/thud", "_under2/bla"),
    "alternative": ("bar", "baz", "cab", "foo"),
    "percent": ("b%ar", "b%az", "c%ab", "foo"),
    "white": ("b ar", "b az", "c ab", "foo"),
    "dots": ("b.ar", "b.az", "c.ab", "foo"),
    "folder": ("asdf/",),
    "prefixed": ("foo/bar", "foo/baz/inner", "quux"),
    "mixed": ("bar", "bazar", "cab", "foo"),
    "coded": ("foo+1/bar", "foo/bar/xyzzy", "quux ab/thud", "asdf+b"),
    "special": SPECIAL,
    "many": tuple(f"{number:05}" for number in range(2_500)),
    "odd": (
        " ",
        '"',
        "$",
        "%",
        "&",
        "'",
        "<",
        ">",
        "_",
        "_ ",
        "_ _",
        "__",
        "\x01\x1f",
        "a\nb",
        "a\rb",
        "ü",
        "\uffff",
        "\U0001f600",
    ),
}


@contextmanager
def serving(buckets: dict[str, tuple[str, ...]]) -> Iterator[GatewayServer]:
    objects: dict[str, bytes] = {}
    mounts = []
    for bucket, keys in buckets.items():
        url = f"s3://archives/{bucket}.tar"
        put_archive(objects, dict.fromkeys(keys, b"x"), url)
        mounts.append(mount(bucket, url))
    with running_gateway(service_over(*mounts), AsyncMemorySource(objects)) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[GatewayServer]:
    """A gateway over one bucket for each set of keys."""
    with serving(BUCKETS) as running:
        yield running


def listed(server: GatewayServer, version: int, bucket: str, **parameters: Any) -> Any:
    """What boto3 makes of a page; `After` is Marker or StartAfter."""
    if "After" in parameters:
        parameters["Marker" if version == 1 else "StartAfter"] = parameters.pop("After")
    call: Any = server.s3.list_objects if version == 1 else server.s3.list_objects_v2
    return call(Bucket=bucket, **parameters)


def keys(page: Any) -> list[str]:
    return [entry["Key"] for entry in page.get("Contents", [])]


def prefixes(page: Any) -> list[str]:
    return [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


both_versions = pytest.mark.parametrize("version", [1, 2])


@both_versions
@pytest.mark.parametrize(
    ("bucket", "parameters", "expected_keys", "expected_prefixes"),
    [
        ("basic", {}, ["bar", "baz", "foo", "quxx"], []),  # [list_many, basic_key_count]
        ("delimited", {"Delimiter": "/"}, ["asdf"], ["foo/", "quux/"]),  # [delimiter_basic]
        ("folder", {"Delimiter": "/", "Prefix": "asdf/"}, ["asdf/"], []),  # [delimiter_prefix_ends_with_delimiter]
        ("alternative", {"Delimiter": "a"}, ["foo"], ["ba", "ca"]),  # [delimiter_alt]
        ("percent", {"Delimiter": "%"}, ["foo"], ["b%", "c%"]),  # [delimiter_percentage]
        ("white", {"Delimiter": " "}, ["foo"], ["b ", "c "]),  # [delimiter_whitespace]
        ("dots", {"Delimiter": "."}, ["foo"], ["b.", "c."]),  # [delimiter_dot]
        ("basic", {"Delimiter": "\x0a"}, ["bar", "baz", "foo", "quxx"], []),  # [delimiter_unreadable]
        ("basic", {"Delimiter": "/"}, ["bar", "baz", "foo", "quxx"], []),  # [delimiter_not_exist]
        ("basic", {"Delimiter": ""}, ["bar", "baz", "foo", "quxx"], []),  # [delimiter_empty]
        ("special", {"Delimiter": "/"}, ["1999", "1999#", "1999+", "2000"], ["0/"]),  # [delimiter_not_skip_special]
        ("prefixed", {"Prefix": "foo/"}, ["foo/bar", "foo/baz/inner"], []),  # [prefix_basic]
        ("mixed", {"Prefix": "ba"}, ["bar", "bazar"], []),  # [prefix_alt]
        ("basic", {"Prefix": ""}, ["bar", "baz", "foo", "quxx"], []),  # [prefix_empty]
        ("basic", {"Prefix": "d"}, [], []),  # [prefix_not_exist]
        ("basic", {"Prefix": "\x0a"}, [], []),  # [prefix_unreadable]
        ("prefixed", {"Prefix": "foo/", "Delimiter": "/"}, ["foo/bar"], ["foo/baz/"]),  # [prefix_delimiter_basic]
        ("mixed", {"Prefix": "ba", "Delimiter": "a"}, ["bar"], ["baza"]),  # [prefix_delimiter_alt]
        ("mixed", {"Prefix": "d", "Delimiter": "/"}, [], []),  # [prefix_delimiter_prefix_not_exist]
        ("prefixed", {"Prefix": "foo/", "Delimiter": "z"}, ["foo/bar"], ["foo/baz"]),
        ("mixed", {"Prefix": "ba", "Delimiter": "x"}, ["bar", "bazar"], []),  # [prefix_delimiter_delimiter_not_exist]
        ("basic", {"After": "blah"}, ["foo", "quxx"], []),  # [marker_not_in_list, startafter_not_in_list]
        ("basic", {"After": "zzz"}, [], []),  # [marker_after_list, startafter_after_list]
        ("basic", {"After": "\x0a"}, ["bar", "baz", "foo", "quxx"], []),  # [marker_unreadable, startafter_unreadable]
        ("basic", {"After": ""}, ["bar", "baz", "foo", "quxx"], []),  # [marker_empty]
        ("basic", {"After": "baz"}, ["foo", "quxx"], []),
        ("tree", {"After": "boo/bar", "Delimiter": "/"}, [], ["cquux/"]),
        ("tree", {"After": "boo", "Delimiter": "/"}, [], ["boo/", "cquux/"]),
        ("odd", {}, sorted(BUCKETS["odd"]), []),  # [bucket_create_special_key_names]
        ("odd", {"Prefix": "_ "}, ["_ ", "_ _"], []),
    ],
)
def test_a_page_is_what_s3_would_tell(
    *,
    server: GatewayServer,
    version: int,
    bucket: str,
    parameters: dict[str, Any],
    expected_keys: list[str],
    expected_prefixes: list[str],
) -> None:
    page = listed(server, version, bucket, **parameters)
    assert (keys(page), prefixes(page), page["IsTruncated"]) == (expected_keys, expected_prefixes, False)
    assert page["MaxKeys"] == 1000  # [maxkeys_none]
    assert page["Prefix"] == parameters.get("Prefix", "") or version == 1  # boto3 does not decode version 1's
    if parameters.get("Delimiter"):
        assert page["Delimiter"] == parameters["Delimiter"]
    else:
        assert "Delimiter" not in page
    if version == 2:
        assert page["KeyCount"] == len(expected_keys) + len(expected_prefixes)
        assert page.get("StartAfter") == parameters.get("After")
        assert "NextContinuationToken" not in page
    else:
        assert page["Marker"] == parameters.get("After", "")


@both_versions
@pytest.mark.parametrize(
    ("bucket", "prefix", "pages"),
    [
        ("tree", "", [(["asdf"], []), ([], ["boo/"]), ([], ["cquux/"])]),  # [delimiter_prefix]
        ("tree", "boo/", [(["boo/bar"], []), ([], ["boo/baz/"])]),
        ("underscore", "", [(["_obj1_"], []), ([], ["_under1/"]), ([], ["_under2/"])]),  # [delimiter_prefix_underscore]
        ("underscore", "_under1/", [(["_under1/bar"], []), ([], ["_under1/baz/"])]),
    ],
)
def test_a_common_prefix_counts_once_over_pages_of_one(
    *, server: GatewayServer, version: int, bucket: str, prefix: str, pages: list[tuple[list[str], list[str]]]
) -> None:
    place: dict[str, str] = {"Marker" if version == 1 else "StartAfter": ""}
    for number, (expected_keys, expected_prefixes) in enumerate(pages):
        page = listed(server, version, bucket, Prefix=prefix, Delimiter="/", MaxKeys=1, **place)
        assert (keys(page), prefixes(page)) == (expected_keys, expected_prefixes)
        if number == len(pages) - 1:
            assert not page["IsTruncated"]
            assert "NextMarker" not in page
            assert "NextContinuationToken" not in page
        elif version == 1:
            assert page["NextMarker"] == (expected_keys + expected_prefixes)[0]
            place = {"Marker": page["NextMarker"]}
        else:
            place = {"ContinuationToken": page["NextContinuationToken"]}


@both_versions
def test_every_key_comes_once_in_order_over_pages(server: GatewayServer, version: int) -> None:
    paginator: Any = server.s3.get_paginator("list_objects" if version == 1 else "list_objects_v2")
    for size in (1000, 999, 7_000):
        pages = list(paginator.paginate(Bucket="many", PaginationConfig={"PageSize": size}))
        assert [key for page in pages for key in keys(page)] == list(BUCKETS["many"])
        assert len(pages) == 3


def test_max_keys_of_none_one_and_too_many(server: GatewayServer) -> None:
    for version in (1, 2):
        nothing = listed(server, version, "basic", MaxKeys=0)  # [maxkeys_zero]
        assert (keys(nothing), nothing["IsTruncated"]) == ([], False)
        one = listed(server, version, "basic", MaxKeys=1)  # [maxkeys_one]
        assert (keys(one), one["IsTruncated"], one["MaxKeys"]) == (["bar"], True, 1)
        assert "NextMarker" not in one  # only with a delimiter
        assert listed(server, version, "many", MaxKeys=5000)["MaxKeys"] == 1000


def test_a_continuation_token_goes_before_start_after_and_both_are_echoed(server: GatewayServer) -> None:
    first = server.s3.list_objects_v2(Bucket="basic", MaxKeys=1, StartAfter="bar")
    token = first["NextContinuationToken"]
    second = server.s3.list_objects_v2(
        Bucket="basic", StartAfter="bar", ContinuationToken=token
    )  # [both_continuationtoken_startafter]
    assert (keys(second), second["ContinuationToken"], second["StartAfter"]) == (["foo", "quxx"], token, "bar")
    empty = server.s3.list_objects_v2(Bucket="basic", ContinuationToken="")  # [continuationtoken_empty]
    assert (keys(empty), empty["ContinuationToken"]) == (["bar", "baz", "foo", "quxx"], "")


def test_a_token_outlives_the_server(server: GatewayServer) -> None:
    token = server.s3.list_objects_v2(Bucket="basic", MaxKeys=2)["NextContinuationToken"]
    with serving({"basic": (*BUCKETS["basic"], "aaa", "fooo")}) as another:
        page = another.s3.list_objects_v2(Bucket="basic", ContinuationToken=token)
        assert keys(page) == ["foo", "fooo", "quxx"]


def test_owners_are_told_by_version_1_and_on_demand(server: GatewayServer) -> None:
    assert all("Owner" in entry for entry in server.s3.list_objects(Bucket="basic")["Contents"])
    assert all("Owner" not in entry for entry in server.s3.list_objects_v2(Bucket="basic")["Contents"])  # [fetchowner_defaultempty]
    assert all("Owner" not in entry for entry in server.s3.list_objects_v2(Bucket="basic", FetchOwner=False)["Contents"])
    assert all("Owner" in entry for entry in server.s3.list_objects_v2(Bucket="basic", FetchOwner=True)["Contents"])


def test_url_encoding_covers_keys_prefixes_and_echoes(server: GatewayServer) -> None:
    body = server.ask(
        "/coded?list-type=2&delimiter=%2F&encoding-type=url&start-after=%20&prefix="
    ).body.decode()  # [encoding_basic]
    assert "<Delimiter>/</Delimiter>" in body
    assert "<Key>asdf%2Bb</Key>" in body
    assert [text.split("<")[0] for text in body.split("<CommonPrefixes><Prefix>")[1:]] == ["foo%2B1/", "foo/", "quux%20ab/"]
    assert "<StartAfter>%20</StartAfter>" in body
    assert "<EncodingType>url</EncodingType>" in body
    odd = server.ask("/odd?encoding-type=url&max-keys=1&delimiter=%25&marker=%22").body.decode()
    assert "<Marker>%22</Marker>" in odd
    assert "<NextMarker>$</NextMarker>" not in odd
    assert "<Delimiter>%25</Delimiter>" in odd


def test_a_document_without_encoding_holds_every_key_that_xml_can(server: GatewayServer) -> None:
    body = server.ask("/odd?list-type=2").body.decode()
    assert "<Key>&#x1;&#x1F;</Key>" in body
    legal = body.replace("&#x1;&#x1F;", "").replace("&#xFFFF;", "")
    told = [element.findtext(f"{NAMESPACE}Key") or "" for element in ET.fromstring(legal).findall(f"{NAMESPACE}Contents")]
    assert [key for key in told if key] == [key for key in sorted(BUCKETS["odd"]) if key not in {"\x01\x1f", "\uffff"}]


def test_every_listed_key_can_be_read(server: GatewayServer) -> None:
    for key in BUCKETS["odd"]:
        assert server.s3.get_object(Bucket="odd", Key=key)["Body"].read() == b"x"
        assert server.ask(f"/odd/{quote(key, safe='')}").body == b"x"


def test_the_order_of_elements_is_that_of_the_api_reference(server: GatewayServer) -> None:
    second = server.ask("/tree?list-type=2&max-keys=2&delimiter=/&start-after=a&fetch-owner=true&encoding-type=url").body.decode()
    assert second.startswith(
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    )
    root = ET.fromstring(second)
    assert [element.tag.removeprefix(NAMESPACE) for element in root] == [
        *("Name", "Prefix", "StartAfter", "NextContinuationToken", "KeyCount", "MaxKeys", "Delimiter", "EncodingType"),
        *("IsTruncated", "Contents", "CommonPrefixes"),
    ]
    (entry,) = root.findall(f"{NAMESPACE}Contents")
    told = [element.tag.removeprefix(NAMESPACE) for element in entry]
    assert told == ["Key", "LastModified", "ETag", "Size", "Owner", "StorageClass"]
    assert entry.findtext(f"{NAMESPACE}LastModified") == "2023-11-14T22:13:20.000Z"
    first = server.ask("/tree?max-keys=2&delimiter=/").body
    assert [element.tag.removeprefix(NAMESPACE) for element in ET.fromstring(first)] == [
        *("Name", "Prefix", "Marker", "NextMarker", "MaxKeys", "Delimiter", "IsTruncated", "Contents", "CommonPrefixes"),
    ]
