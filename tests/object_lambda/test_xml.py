"""Documents: what is written is what a parser reads, whatever the keys are."""

from urllib.parse import unquote
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from object_lambda.answers import Entry, ListAnswer
from object_lambda.requests import ListRequest
from object_lambda.s3_errors import NoSuchKey
from object_lambda.xml import buckets_document, error_document, list_document, url_encoded

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
IN_XML = st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(32)), "\ufffe", "\uffff"])
LEGAL = st.text(IN_XML | st.sampled_from("\t\n\r&<>\"' "), min_size=1, max_size=8)
ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


def document(keys: list[str], *, url: bool) -> bytes:
    entries = [Entry(key.encode(), 1, "e-1", 0) for key in keys]
    request = ListRequest("bucket", prefix=keys[0].encode(), delimiter=b"&<", url_encoded=url)
    return list_document(ListAnswer(request, entries, [key.encode() for key in keys], last=b"x"))


def texts(body: bytes, path: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(body).iterfind(path.format(NAMESPACE), {})]


@given(keys=st.lists(LEGAL, min_size=1, max_size=5))
def test_every_key_that_xml_can_hold_is_read_back(keys: list[str]) -> None:
    body = document(keys, url=False)
    assert texts(body, "{0}Contents/{0}Key") == keys
    assert texts(body, "{0}CommonPrefixes/{0}Prefix") == keys
    assert texts(body, "{0}Prefix") == keys[:1]
    assert texts(body, "{0}Delimiter") == ["&<"]


@given(keys=st.lists(ANY, min_size=1, max_size=5))
def test_every_key_is_read_back_from_its_url_encoding(keys: list[str]) -> None:
    body = document(keys, url=True)
    assert [unquote(text) for text in texts(body, "{0}Contents/{0}Key")] == keys
    assert [unquote(text) for text in texts(body, "{0}CommonPrefixes/{0}Prefix")] == keys
    assert [unquote(text) for text in texts(body, "{0}Delimiter")] == ["&<"]


@given(key=ANY)
def test_a_url_encoded_key_holds_nothing_that_a_strict_decoder_stumbles_over(key: str) -> None:
    encoded = url_encoded(key.encode())
    assert encoded.isascii()
    assert not set(encoded) & set(" +\n&<>")
    assert encoded.count("%") == sum(byte not in URL_PLAIN for byte in key.encode())


URL_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/*-._"


@given(key=ANY)
def test_an_error_document_can_always_be_read(key: str) -> None:
    body = error_document(NoSuchKey("", Key=key), request_id="ID", host_id="<&>")
    told = {element.tag: element.text for element in ET.fromstring(body)}
    assert (told["Code"], told["RequestId"], told["HostId"]) == ("NoSuchKey", "ID", "<&>")


def test_buckets_are_listed_with_their_time() -> None:
    body = buckets_document(["a", "b"], 0)
    assert texts(body, "{0}Buckets/{0}Bucket/{0}Name") == ["a", "b"]
    assert texts(body, "{0}Buckets/{0}Bucket/{0}CreationDate") == ["1970-01-01T00:00:00.000Z"] * 2
