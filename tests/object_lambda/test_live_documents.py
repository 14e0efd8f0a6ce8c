"""The live side's documents: what our own writer writes is read back, whatever the keys; what is none is told."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import StoreFailed
from object_lambda.answers import Entry, ListAnswer
from object_lambda.live import HIGHEST, LiveList
from object_lambda.live_documents import read_page, read_refusal
from object_lambda.live_requests import list_parameters
from object_lambda.requests import ListRequest
from object_lambda.xml import list_document

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).map(str.encode)


@given(
    keys=st.lists(KEYS, max_size=4),
    prefixes=st.lists(KEYS, max_size=3),
    version=st.sampled_from([1, 2]),
    url=st.booleans(),
    more=st.booleans(),
)
def test_a_listing_is_read_back(keys: list[bytes], prefixes: list[bytes], version: int, url: bool, more: bool) -> None:
    entries = [Entry(key, 7, "0123-2", 1_700_000_000, "GLACIER_IR") for key in keys]
    last = b"x" if more and (keys or prefixes) else None
    document = list_document(ListAnswer(ListRequest("bucket", version, url_encoded=url), entries, prefixes, last))
    page = read_page(document)
    assert (page.entries, page.prefixes, page.truncated) == (entries, prefixes, last is not None)


def test_other_stores_spellings_are_read() -> None:
    page = read_page(
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<ListBucketResult xmlns="x">\n <Prefix/><!-- said --><EncodingType>url</EncodingType>'
        b"<IsTruncated>false</IsTruncated><Contents><Owner><ID>i</ID><DisplayName/></Owner><Key>a+b%2Bc</Key><Size>1</Size>"
        b'<ETag>"e"</ETag><LastModified>2023-11-14T22:13:20.75+00:00</LastModified><StorageClass>&lt;odd</StorageClass></Contents>'
        b"</ListBucketResult>\n"
    )
    assert page.entries == [Entry(b"a b+c", 1, "e", 1_700_000_000, "STANDARD")]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html><p>a proxy</html>",
        b"<Error><Code>x</Code></Error>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        b"<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Key>a</Key>",
        b"<ListBucketResult><Contents><Key>a</Key><Size>x</Size><LastModified>now</LastModified></Contents></ListBucketResult>",
        b"<ListBucketResult>",
        b"\xff\xfe",
        b"<<<",
    ],
)
def test_what_is_no_listing_is_told(document: bytes) -> None:
    with pytest.raises(StoreFailed):
        read_page(document)


@given(
    document=st.binary(max_size=60) | st.text("<>/&;#x0aError ", max_size=40).map(str.encode),
    status=st.sampled_from([403, 404, 503]),
)
def test_a_refusal_is_read_out_of_anything(document: bytes, status: int) -> None:
    error = read_refusal(status, document)
    assert error.http_status == status
    assert error.code


def test_a_refusal_tells_its_facts_but_not_where_it_comes_from() -> None:
    error = read_refusal(
        416,
        b"<?xml version='1.0'?><Error><Code>InvalidRange</Code><Message>not &#60;satisfiable&#x3e;</Message>"
        b"<RangeRequested>bytes=9-</RangeRequested><ActualObjectSize>3</ActualObjectSize><Key>secret</Key><BucketName>secret</BucketName><HostId>h</HostId></Error>",
    )
    assert (error.code, error.message) == ("InvalidRange", "not <satisfiable>")
    assert error.fields == {"ActualObjectSize": "3", "RangeRequested": "bytes=9-"}
    assert read_refusal(404, b"").code == "NoSuchKey"


@given(prefix=KEYS, after=KEYS, most=st.integers(1, 1000))
def test_the_parameters_of_a_listing_are_sorted_and_spell_every_key(prefix: bytes, after: bytes, most: int) -> None:
    parameters = list_parameters(LiveList("bucket", prefix, b"", after, most))
    assert parameters == sorted(parameters)
    spelled = dict(parse_qsl("&".join(f"{name}={value}" for name, value in parameters), keep_blank_values=True))
    assert (spelled["prefix"].encode(), spelled["start-after"].encode(), spelled["max-keys"]) == (prefix, after, str(most))


def test_a_listing_goes_on_behind_all_of_a_common_prefix() -> None:
    assert LiveList("b", b"a/", b"/", b"a/b/c", 1).start_after == b"a/b/" + HIGHEST
    assert LiveList("b", b"a/", b"/", b"a/b", 1).start_after == b"a/b"
    long = b"a/" + b"b" * 1019 + b"/c"
    assert LiveList("b", b"a/", b"/", long, 1).start_after == long
