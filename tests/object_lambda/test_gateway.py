"""The gateway over the wire: what S3 clients see of objects (ceph's s3-tests, by the names in brackets), errors, raw paths."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET
from zlib import crc32

import pytest
from botocore.exceptions import ClientError

from indexer.model import Attributes
from indexer.source.memory import AsyncMemorySource
from tests.object_lambda.made_archives import ARCHIVE, MTIME_S, Made, mount, put_archive, service_over
from tests.servers.gateway import CREATED_S, REGION, GatewayServer, running_gateway

MD5 = "900150983cd24fb0d6963f7d28e17f72"
CONTENT: dict[str, Made | bytes] = {
    "eleven": Made(b"hello world", etag=MD5),
    "empty": b"",
    "logs/a b+c%d.txt": b"odd name",
    "logs/ümlaut": b"utf-8",
    "logs//double": b"double",
    "logs/./dot": b"dot",
    "logs/enc%2Foded": b"literal",
    "locked": Made(b"", unreadable="it is encrypted"),
    "typed": Made(
        b"{}",
        attributes=Attributes(
            content_type="application/json",
            content_encoding="identity",
            content_language="en",
            content_disposition='attachment; filename="x"',
            cache_control="no-cache",
            metadata=(("colour", "blue"), ("utf8", "grün")),
        ),
    ),
    "large": bytes(range(256)) * 4096 * 9,
}
LAST_MODIFIED = datetime.fromtimestamp(MTIME_S, UTC)
BEFORE, AFTER = LAST_MODIFIED - timedelta(hours=1), LAST_MODIFIED + timedelta(hours=1)


@pytest.fixture(scope="module")
def server() -> Iterator[GatewayServer]:
    """A gateway over one archive, mounted at the top of `bucket`."""
    objects: dict[str, bytes] = {}
    put_archive(objects, CONTENT)
    with running_gateway(service_over(mount("bucket")), AsyncMemorySource(objects)) as running:
        yield running


def failure(call: Callable[..., Any], **parameters: Any) -> tuple[int, str]:
    """The status and the code that boto3 read out of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(Bucket="bucket", **parameters)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]


def error(body: bytes) -> dict[str, str]:
    return {element.tag: element.text or "" for element in ET.fromstring(body)}


def counters(server: GatewayServer) -> dict[str, int]:
    lines = server.ask("/metrics").body.decode().splitlines()
    return {name: int(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_head_get_and_list_tell_the_same(server: GatewayServer) -> None:
    listed = {entry["Key"]: entry for entry in server.s3.list_objects_v2(Bucket="bucket")["Contents"]}
    assert sorted(listed) == sorted(CONTENT)
    for key, made in CONTENT.items():
        if key == "locked":
            continue
        data = made.data if isinstance(made, Made) else made
        head = server.s3.head_object(Bucket="bucket", Key=key)
        got = server.s3.get_object(Bucket="bucket", Key=key)
        assert got["Body"].read() == data
        assert head["ContentLength"] == got["ContentLength"] == listed[key]["Size"] == len(data)
        assert head["ETag"] == got["ETag"] == listed[key]["ETag"]
        assert head["LastModified"] == got["LastModified"] == listed[key]["LastModified"] == LAST_MODIFIED
        assert head["AcceptRanges"] == "bytes"


def test_an_etag_is_the_members_own_or_one_that_is_no_md5(server: GatewayServer) -> None:
    assert server.s3.head_object(Bucket="bucket", Key="eleven")["ETag"] == f'"{MD5}"'
    virtual = server.s3.head_object(Bucket="bucket", Key="empty")["ETag"].strip('"')
    assert (len(virtual), virtual[-2:]) == (34, "-1")


def test_what_s3_kept_of_an_object_is_told_again(server: GatewayServer) -> None:
    for call in (server.s3.get_object, server.s3.head_object):
        got: Any = call(Bucket="bucket", Key="typed")
        assert got["ContentType"] == "application/json"
        assert (got["ContentEncoding"], got["ContentLanguage"], got["CacheControl"]) == ("identity", "en", "no-cache")
        assert got["ContentDisposition"] == 'attachment; filename="x"'
        assert got["Metadata"] == {"colour": "blue", "utf8": "=?UTF-8?B?Z3LDvG4=?="}
    assert server.s3.head_object(Bucket="bucket", Key="eleven")["ContentType"] == "binary/octet-stream"


def test_response_parameters_override(server: GatewayServer) -> None:
    got = server.s3.get_object(
        Bucket="bucket",
        Key="typed",
        ResponseCacheControl="no-store",
        ResponseContentDisposition="inline",
        ResponseContentEncoding="aaa",
        ResponseContentLanguage="esperanto",
        ResponseContentType="foo/bar",
    )
    assert (got["CacheControl"], got["ContentDisposition"], got["ContentEncoding"]) == ("no-store", "inline", "aaa")
    assert (got["ContentLanguage"], got["ContentType"]) == ("esperanto", "foo/bar")
    assert server.ask("/bucket/typed?response-expires=123").headers["expires"] == "123"
    refused = server.ask("/bucket/typed?response-content-type=a%0d%0aSet-Cookie:%20x")
    assert (refused.status, error(refused.body)["Code"]) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    ("asked", "told", "data"),
    [
        ("bytes=4-7", "bytes 4-7/11", b"o wo"),  # [ranged_request_response_code]
        ("bytes=4-", "bytes 4-10/11", b"o world"),  # [ranged_request_skip_leading_bytes]
        ("bytes=-7", "bytes 4-10/11", b"o world"),  # [ranged_request_return_trailing_bytes]
        ("bytes=0-", "bytes 0-10/11", b"hello world"),
        ("bytes=0-99", "bytes 0-10/11", b"hello world"),
        ("bytes=-99", "bytes 0-10/11", b"hello world"),
        ("bytes=10-10", "bytes 10-10/11", b"d"),
        ("Bytes = 4-7", "bytes 4-7/11", b"o wo"),
        (f"bytes=0-{'9' * 5000}", "bytes 0-10/11", b"hello world"),
    ],
)
def test_a_range_is_answered_with_206_and_a_head_of_it_alike(server: GatewayServer, asked: str, told: str, data: bytes) -> None:
    got = server.ask("/bucket/eleven", headers={"Range": asked})
    assert (got.status, got.headers["content-range"], got.body) == (206, told, data)
    head = server.ask("/bucket/eleven", "HEAD", {"Range": asked})
    assert (head.status, head.headers["content-range"], head.headers["content-length"]) == (206, told, str(len(data)))


@pytest.mark.parametrize("asked", ["bytes=7-4", "bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=-", "bytes=a-b", "4-7", "bytes=٣-٤"])
def test_a_range_that_cannot_be_read_is_passed_over(server: GatewayServer, asked: str) -> None:
    got = server.ask("/bucket/eleven", headers={"Range": asked.encode().decode("latin-1")})
    assert (got.status, got.body) == (200, b"hello world")
    assert "content-range" not in got.headers


@pytest.mark.parametrize(
    ("key", "asked"),
    [("eleven", "bytes=40-50"), ("eleven", "bytes=11-"), ("eleven", "bytes=-0"), ("empty", "bytes=0-"), ("empty", "bytes=-5")],
)  # [ranged_request_invalid_range, ranged_request_empty_object]
def test_a_range_without_a_byte_in_it_is_416(server: GatewayServer, key: str, asked: str) -> None:
    size = len("hello world") if key == "eleven" else 0
    got = server.ask(f"/bucket/{key}", headers={"Range": asked})
    assert (got.status, got.headers["content-range"]) == (416, f"bytes */{size}")
    told = error(got.body)
    assert (told["Code"], told["RangeRequested"], told["ActualObjectSize"]) == ("InvalidRange", asked, str(size))
    assert server.ask(f"/bucket/{key}", "HEAD", {"Range": asked}).status == 416


def test_ranges_of_a_large_member_are_its_bytes(server: GatewayServer) -> None:
    large = CONTENT["large"]
    assert isinstance(large, bytes)
    got = server.s3.get_object(Bucket="bucket", Key="large", Range="bytes=3145728-5242880")
    assert got["ContentRange"] == f"bytes 3145728-5242880/{len(large)}"
    assert got["Body"].read() == large[3145728:5242881]


def test_the_first_part_is_the_whole_object_and_there_is_no_other(server: GatewayServer) -> None:
    for call in (server.s3.get_object, server.s3.head_object):
        got: Any = call(Bucket="bucket", Key="eleven", PartNumber=1)
        assert (got["ResponseMetadata"]["HTTPStatusCode"], got["ContentLength"]) == (206, 11)
        assert "PartsCount" not in got
    assert failure(server.s3.get_object, Key="eleven", PartNumber=2) == (416, "InvalidPartNumber")
    assert failure(server.s3.get_object, Key="eleven", PartNumber=1, Range="bytes=0-1") == (400, "InvalidRequest")
    assert server.ask("/bucket/empty?partNumber=1").status == 200
    for number in ("0", "10001", "x", ""):
        assert server.ask(f"/bucket/eleven?partNumber={number}").status == 400


ETAG = f'"{MD5}"'


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"IfMatch": ETAG}, 200),  # [get_object_ifmatch_good]
        ({"IfMatch": '"ABCORZ"'}, 412),  # [get_object_ifmatch_failed]
        ({"IfMatch": MD5}, 200),
        ({"IfMatch": "*"}, 200),
        ({"IfMatch": f'"x", {ETAG}'}, 200),
        ({"IfNoneMatch": ETAG}, 304),  # [get_object_ifnonematch_good]
        ({"IfNoneMatch": f"W/{ETAG}"}, 304),
        ({"IfNoneMatch": "ABCORZ"}, 200),  # [get_object_ifnonematch_failed]
        ({"IfModifiedSince": BEFORE}, 200),  # [get_object_ifmodifiedsince_good]
        ({"IfModifiedSince": LAST_MODIFIED}, 304),  # [get_object_ifmodifiedsince_failed]
        ({"IfUnmodifiedSince": BEFORE}, 412),  # [get_object_ifunmodifiedsince_good]
        ({"IfUnmodifiedSince": AFTER}, 200),  # [get_object_ifunmodifiedsince_failed]
        ({"IfMatch": ETAG, "IfUnmodifiedSince": BEFORE}, 200),
        ({"IfMatch": '"x"', "IfUnmodifiedSince": AFTER}, 412),
        ({"IfNoneMatch": ETAG, "IfModifiedSince": BEFORE}, 304),
        ({"IfNoneMatch": '"x"', "IfModifiedSince": AFTER}, 200),
        ({"IfMatch": '"x"', "IfNoneMatch": ETAG}, 412),
        ({"IfMatch": '"x"', "Range": "bytes=99-"}, 412),
        ({"IfNoneMatch": ETAG, "Range": "bytes=99-"}, 304),
    ],
)
def test_preconditions_are_weighed_in_s3s_order(server: GatewayServer, conditions: dict[str, Any], status: int) -> None:
    for call in (server.s3.get_object, server.s3.head_object):
        if status == 200:
            assert call(Bucket="bucket", Key="eleven", **conditions)["ETag"] == ETAG
        else:
            assert failure(call, Key="eleven", **conditions)[0] == status


def test_not_modified_tells_the_etag_and_no_body(server: GatewayServer) -> None:
    got = server.ask("/bucket/eleven", headers={"If-None-Match": ETAG})
    assert (got.status, got.headers["etag"], got.body) == (304, ETAG, b"")
    assert server.ask("/bucket/eleven", headers={"If-Modified-Since": "no date"}).status == 200


@pytest.mark.parametrize(
    ("if_range", "status"),
    [(ETAG, 206), ('"other"', 200), (f"W/{ETAG}", 200), (f"{LAST_MODIFIED:%a, %d %b %Y %H:%M:%S GMT}", 206), ("Mon", 200)],
)
def test_if_range_answers_a_range_of_this_version_only(server: GatewayServer, if_range: str, status: int) -> None:
    assert server.ask("/bucket/eleven", headers={"Range": "bytes=0-3", "If-Range": if_range}).status == status


def test_a_checksum_is_told_when_asked_for_and_of_the_whole_object_only(server: GatewayServer) -> None:
    asked = {"x-amz-checksum-mode": "enabled"}
    got = server.ask("/bucket/eleven", headers=asked)
    assert got.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert server.s3.get_object(Bucket="bucket", Key="eleven")["ChecksumCRC32"] == got.headers["x-amz-checksum-crc32"]
    assert crc32(b"hello world") == 0x0D4A1185
    assert got.headers["x-amz-checksum-crc32"] == "DUoRhQ=="
    assert not any("checksum" in name for name in server.ask("/bucket/eleven").headers)
    assert not any("checksum" in name for name in server.ask("/bucket/eleven", headers=asked | {"Range": "bytes=0-"}).headers)


def test_a_key_for_decryption_is_refused(server: GatewayServer) -> None:
    for call in (server.s3.get_object, server.s3.head_object):
        assert failure(call, Key="eleven", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)[0] == 400


@pytest.mark.parametrize("version", ["", "abc"])
def test_there_is_one_version(server: GatewayServer, version: str) -> None:
    assert server.ask("/bucket/eleven?versionId=null").status == 200
    got = server.ask(f"/bucket/eleven?versionId={version}")
    assert (got.status, error(got.body)["Code"]) == ((404, "NoSuchVersion") if version else (400, "InvalidArgument"))


def test_a_member_that_cannot_be_read_is_there_and_says_why(server: GatewayServer) -> None:
    got = server.ask("/bucket/locked")
    assert (got.status, error(got.body)["Code"]) == (403, "InvalidObjectState")
    assert "it is encrypted" in error(got.body)["Message"]
    assert server.ask("/bucket/locked", "HEAD").status == 200


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/bucket/absent", 404, "NoSuchKey"),
        ("/absent/key", 404, "NoSuchBucket"),
        ("/absent?list-type=2", 404, "NoSuchBucket"),
        ("/absent?location", 404, "NoSuchBucket"),
        ("//key", 400, "InvalidBucketName"),
        ("/bucket/%AE%8A-", 400, "InvalidURI"),  # [object_read_unreadable]
        ("/bucket/%zz", 400, "InvalidURI"),
        ("/bucket/%", 400, "InvalidURI"),
        ("/bucket/" + "a" * 1025, 400, "KeyTooLongError"),
        ("/bucket/" + "a" * 1024, 404, "NoSuchKey"),
        ("/bucket/%01%EF%BF%BF", 404, "NoSuchKey"),
        ("/bucket?versions", 501, "NotImplemented"),
        ("/bucket/eleven?acl", 501, "NotImplemented"),
        ("/bucket?list-type=3", 400, "InvalidArgument"),
        ("/bucket?max-keys=blah", 400, "InvalidArgument"),  # [list_maxkeys_invalid]
        ("/bucket?max-keys=-1", 400, "InvalidArgument"),
        ("/bucket?max-keys=2147483648", 400, "InvalidArgument"),
        ("/bucket?encoding-type=xml", 400, "InvalidArgument"),
        ("/bucket?list-type=2&continuation-token=blah", 400, "InvalidArgument"),
        ("/bucket?prefix=%ff", 400, "InvalidURI"),
    ],
)
def test_a_refusal_is_a_document_with_the_request_id_of_its_header(
    server: GatewayServer, target: str, status: int, code: str
) -> None:
    got = server.ask(target)
    told = error(got.body)
    assert (got.status, told["Code"], got.headers["content-type"]) == (status, code, "application/xml")
    assert told["RequestId"] == got.headers["x-amz-request-id"]
    assert told["HostId"] == got.headers["x-amz-id-2"]
    assert got.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>')


def test_a_refused_head_has_the_status_and_no_body(server: GatewayServer) -> None:
    for target, status in (("/bucket/absent", 404), ("/absent", 404), ("/bucket/%zz", 400), ("/bucket/eleven?acl", 501)):
        got = server.ask(target, "HEAD")
        assert (got.status, got.body) == (status, b"")
        assert len(got.headers["x-amz-request-id"]) == 16


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("target", ["/", "/bucket", "/bucket/eleven", "/bucket/new?uploads"])
def test_what_would_write_is_not_allowed(server: GatewayServer, method: str, target: str) -> None:
    got = server.ask(target, method, {"Content-Length": "0"})
    assert (got.status, error(got.body)["Code"], got.headers["allow"]) == (405, "MethodNotAllowed", "GET, HEAD")


def test_boto3_understands_that_it_cannot_write(server: GatewayServer) -> None:
    assert failure(server.s3.put_object, Key="new", Body=b"x") == (405, "MethodNotAllowed")
    assert failure(server.s3.delete_object, Key="eleven") == (405, "MethodNotAllowed")


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/bucket/logs/a%20b%2Bc%25d.txt", b"odd name"),
        ("/bucket/logs/a%20b+c%25d.txt", b"odd name"),
        ("/bucket/logs%2Fa%20b+c%25d.txt", b"odd name"),
        ("/bucket/logs/%C3%BCmlaut", b"utf-8"),
        ("/bucket/logs//double", b"double"),
        ("/bucket/logs/./dot", b"dot"),
        ("/bucket/logs/enc%252Foded", b"literal"),
        ("/bucket/eleven?x-id=GetObject", b"hello world"),
    ],
)
def test_a_key_is_what_the_raw_path_spells(server: GatewayServer, target: str, body: bytes) -> None:
    assert server.ask(target).body == body


def test_buckets_are_known_with_and_without_a_slash(server: GatewayServer) -> None:
    for target in ("/bucket", "/bucket/"):
        head = server.ask(target, "HEAD")
        assert (head.status, head.headers["x-amz-bucket-region"]) == (200, REGION)
        assert b"<Name>bucket</Name>" in server.ask(target).body
    assert server.ask("/absent", "HEAD").status == 404
    assert server.s3.get_bucket_location(Bucket="bucket")["LocationConstraint"] == REGION
    (bucket,) = server.s3.list_buckets()["Buckets"]
    assert (bucket["Name"], bucket["CreationDate"]) == ("bucket", datetime.fromtimestamp(CREATED_S, UTC))


def test_health_and_metrics_are_for_people(server: GatewayServer) -> None:
    assert server.ask("/health").body == b"ok\n"
    name = 'bindery_requests_total{operation="GetObject",status="200"}'
    before, _, after = counters(server), server.ask("/bucket/eleven"), counters(server)
    assert after[name] == before.get(name, 0) + 1
    assert after["bindery_body_bytes_total"] == before["bindery_body_bytes_total"] + len(b"hello world")


def test_server_and_date_are_told(server: GatewayServer) -> None:
    headers = server.ask("/bucket/eleven").headers
    assert headers["server"] == "AmazonS3"
    assert headers["date"].endswith("GMT")


def test_an_answer_too_large_for_the_way_back_asks_for_ranges() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, CONTENT)
    with running_gateway(service_over(mount("bucket")), AsyncMemorySource(objects), body_bytes=10) as server:
        got = server.ask("/bucket/eleven")
        assert (got.status, error(got.body)["Code"]) == (400, "InvalidRequest")
        assert "Range" in error(got.body)["Message"]
        assert server.ask("/bucket/eleven", headers={"Range": "bytes=0-9"}).body == b"hello worl"
        assert server.ask("/bucket/eleven", "HEAD").headers["content-length"] == "11"


def test_an_archive_without_an_index_is_our_fault_and_may_pass() -> None:
    with running_gateway(service_over(mount("bucket")), AsyncMemorySource({ARCHIVE: b"whatever"})) as server:
        for target in ("/bucket/key", "/bucket"):
            got = server.ask(target)
            assert (got.status, error(got.body)["Code"]) == (503, "ServiceUnavailable")
            assert ARCHIVE not in got.body.decode()
