"""The servers themselves: what the other tests rely on really holds."""

import json
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.servers.ministack import Bucket, Ministack
from tests.servers.nginx import StaticServer
from tests.servers.object_lambda import AccessPoint, AccessPointFactory, zip_of_files

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AWS = "/usr/bin/aws"  # version 2; a version 1 may come before it on PATH

# Answers each event in the smallest way, and tells in its body what it was given.
HELLO = """
import json, os, urllib.request
import boto3, obstore, zstandard

s3 = boto3.client("s3")

def handler(event, context):
    if "getObjectContext" in event:
        given = event["getObjectContext"]
        key = given["inputS3Url"].split("?")[0].rsplit("/", 1)[1]
        if key == "absent":
            s3.write_get_object_response(
                RequestRoute=given["outputRoute"], RequestToken=given["outputToken"],
                StatusCode=404, ErrorCode="NoSuchKey", ErrorMessage="not bound here",
            )
            return None
        if key == "loose":
            body = urllib.request.urlopen(given["inputS3Url"]).read()
        else:
            body = json.dumps({
                "greeting": os.environ["GREETING"],
                "headers": event["userRequest"]["headers"],
                "url": event["userRequest"]["url"],
            }).encode()
        s3.write_get_object_response(
            RequestRoute=given["outputRoute"], RequestToken=given["outputToken"], Body=body,
            ContentType="text/x-hello", ETag='"0123"', Metadata={"colour": "blue"}, ContentLength=len(body),
        )
        return None
    if "headObjectContext" in event:
        return {"statusCode": 200, "headers": {"Content-Length": "5", "ETag": '"0123"'}, "metadata": {"colour": "blue"}}
    return {
        "statusCode": 200,
        "listResultXml": '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/>'
        "<KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>logs/hello</Key>"
        "<LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;0123&quot;</ETag><Size>5</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>",
    }
"""


@pytest.fixture
def hello(s3_bucket: Bucket, object_lambda_access_point: AccessPointFactory) -> AccessPoint:
    """An access point whose function greets."""
    return object_lambda_access_point(s3_bucket, zip_of_files({"handler.py": HELLO}), {"GREETING": "hello"})


def test_a_bucket_holds_what_was_put(s3_bucket: Bucket) -> None:
    s3_bucket.put("b", b"two")
    s3_bucket.put("a/c", b"one")
    assert (s3_bucket.keys(), s3_bucket.get("a/c"), s3_bucket.uploads()) == (["a/c", "b"], b"one", [])


def test_nginx_serves_ranges(nginx: StaticServer) -> None:
    (nginx.root / "file").write_bytes(b"0123456789")
    request = urllib.request.Request(f"{nginx.endpoint}/file", headers={"Range": "bytes=2-4"})
    with urllib.request.urlopen(request) as answer:
        assert (answer.status, answer.headers["Content-Range"], answer.read()) == (206, "bytes 2-4/10", b"234")


def test_object_lambda_answers_by_alias(hello: AccessPoint, s3_bucket: Bucket) -> None:
    answer = s3_bucket.client.get_object(Bucket=hello.alias, Key="logs/hello", Range="bytes=0-3")
    body = json.loads(answer["Body"].read())
    assert body["greeting"] == "hello"
    assert body["headers"]["Range"] == "bytes=0-3"
    assert (answer["ContentType"], answer["ETag"], answer["Metadata"]) == ("text/x-hello", '"0123"', {"colour": "blue"})
    assert s3_bucket.client.head_object(Bucket=hello.alias, Key="logs/hello")["ContentLength"] == 5
    listed = s3_bucket.client.list_objects_v2(Bucket=hello.alias)
    assert [entry["Key"] for entry in listed["Contents"]] == ["logs/hello"]


@pytest.mark.usefixtures("localhost_subdomains")
def test_object_lambda_answers_by_arn(hello: AccessPoint, ministack: Ministack) -> None:
    client: S3Client = ministack.client("s3", endpoint=ministack.localhost_endpoint)
    body = json.loads(client.get_object(Bucket=hello.arn, Key="logs/hello")["Body"].read())
    assert body["url"].endswith(".localhost:" + str(ministack.port) + "/logs/hello")


def test_object_lambda_passes_errors_and_loose_objects(hello: AccessPoint, s3_bucket: Bucket) -> None:
    s3_bucket.put("loose", b"as it was")
    assert s3_bucket.client.get_object(Bucket=hello.alias, Key="loose")["Body"].read() == b"as it was"
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3_bucket.client.get_object(Bucket=hello.alias, Key="absent")


def test_aws_command_line_reaches_object_lambda(hello: AccessPoint, ministack: Ministack) -> None:
    def aws(*arguments: str) -> str:
        # Debian's 2.9 is older than AWS_ENDPOINT_URL (2.13): the endpoint has to be an option.
        command = [AWS, "--endpoint-url", ministack.endpoint, "s3", *arguments]
        return subprocess.run(command, env=ministack.env, check=True, capture_output=True, text=True, timeout=60).stdout

    assert aws("ls", "--recursive", f"s3://{hello.alias}/").split()[-1] == "logs/hello"
    assert json.loads(aws("cp", f"s3://{hello.alias}/logs/hello", "-"))["greeting"] == "hello"
