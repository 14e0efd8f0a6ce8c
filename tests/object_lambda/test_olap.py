"""The real handler, packed and deployed: S3 Object Lambda of the emulator, boto3 and the aws command line before it."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from indexer.build import build_index
from indexer.source.route import open_source
from indexer.urls import index_url
from tests.servers.ministack import Bucket, Ministack
from tests.servers.object_lambda import AccessPoint, AccessPointFactory, zip_of_packages

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AWS = "/usr/bin/aws"  # version 2; a version 1 may come before it on PATH
LOGS = {
    f"2026/01/{day:02}/part {number}.log": b"line of %d/%d\n" % (day, number) * (day * 50)
    for day in range(1, 4)
    for number in range(4)
}
ODD = {"ä b+c%d?e&f#g.txt": b"odd", "empty": b"", "deep/er/still": b"deep"}
READ = {"logs/2026/01/03/part 2.log": LOGS["2026/01/03/part 2.log"]} | {f"odd/things/{name}": data for name, data in ODD.items()}


def zipped(contents: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), data)
    return packed.getvalue()


def put_archive(bucket: Bucket, key: str, contents: dict[str, bytes], scratch: Path) -> str:
    """Stores a zip and its index; returns the zip's URL."""
    bucket.put(key, zipped(contents))
    url = f"{bucket.url}/{key}"
    index: list[bytes] = []
    build_index(url, open_source(bucket.server.env), index.append, scratch=scratch)
    bucket.put(index_url(key), b"".join(index))
    return url


@pytest.fixture
def access_point(s3_bucket: Bucket, object_lambda_access_point: AccessPointFactory, tmp_path: Path) -> AccessPoint:
    """Two archives behind one access point: one at the bucket's root with a space in its key, one in a folder."""
    env = {
        "S3ARCHIVEFS_PREFIX_VMAP1": f"logs|{put_archive(s3_bucket, 'our logs.zip', LOGS, tmp_path)}",
        "S3ARCHIVEFS_PREFIX_VMAP3": f"odd/things/|{put_archive(s3_bucket, 'more/odd.zip', ODD, tmp_path)}",
        "S3ARCHIVEFS_CACHE_DIR": str(tmp_path / "cache"),
    }
    return object_lambda_access_point(
        s3_bucket, zip_of_packages("object_lambda", "indexer"), env, handler="object_lambda.olap.handler"
    )


def keys() -> list[str]:
    names = [f"logs/{name}" for name in LOGS] + [f"odd/things/{name}" for name in ODD]
    return sorted(names, key=str.encode)


def check_reads(client: "S3Client", bucket: str) -> None:
    for key, data in READ.items():
        answer = client.get_object(Bucket=bucket, Key=key)
        assert answer["Body"].read() == data
        head = client.head_object(Bucket=bucket, Key=key)
        for told in ("ETag", "LastModified", "ContentLength", "ContentType", "AcceptRanges"):
            assert head[told] == answer[told]
        assert answer["ContentLength"] == len(data)
        if data:
            part = client.get_object(Bucket=bucket, Key=key, Range="bytes=1-2")
            assert (part["Body"].read(), part["ContentRange"]) == (data[1:3], f"bytes 1-2/{len(data)}")
            assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
            with pytest.raises(ClientError, match="304"):
                client.get_object(Bucket=bucket, Key=key, IfNoneMatch=answer["ETag"])
            with pytest.raises(ClientError, match="PreconditionFailed"):
                client.get_object(Bucket=bucket, Key=key, IfMatch='"other"')
    with pytest.raises(ClientError, match="InvalidRange"):
        client.get_object(Bucket=bucket, Key="odd/things/empty", Range="bytes=0-")
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=bucket, Key="logs/absent")
    with pytest.raises(ClientError, match="404"):
        client.head_object(Bucket=bucket, Key="log")


def check_listings(client: "S3Client", bucket: str) -> None:
    for operation in ("list_objects_v2", "list_objects"):
        pages = list(client.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 4}))
        entries = [entry for page in pages for entry in page["Contents"]]
        assert [entry["Key"] for entry in entries] == keys()
        assert [len(page["Contents"]) for page in pages] == [4, 4, 4, 3]
        head = client.head_object(Bucket=bucket, Key=entries[0]["Key"])
        assert (entries[0]["ETag"], entries[0]["Size"]) == (head["ETag"], head["ContentLength"])
        assert entries[0]["LastModified"] == head["LastModified"]
    folder = client.list_objects_v2(Bucket=bucket, Prefix="logs/2026/01/", Delimiter="/")
    assert [entry["Prefix"] for entry in folder["CommonPrefixes"]] == [f"logs/2026/01/{day:02}/" for day in range(1, 4)]
    assert [entry["Prefix"] for entry in client.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"]] == [
        "logs/",
        "odd/",
    ]


def test_boto3_reads_and_lists_by_alias(access_point: AccessPoint, s3_bucket: Bucket) -> None:
    check_reads(s3_bucket.client, access_point.alias)
    check_listings(s3_bucket.client, access_point.alias)


@pytest.mark.usefixtures("localhost_subdomains")
def test_boto3_reads_and_lists_by_arn(access_point: AccessPoint, ministack: Ministack) -> None:
    client: S3Client = ministack.client("s3", endpoint=ministack.localhost_endpoint)
    check_reads(client, access_point.arn)
    check_listings(client, access_point.arn)


def test_the_aws_command_line_lists_and_copies_by_alias(access_point: AccessPoint, ministack: Ministack, tmp_path: Path) -> None:
    def aws(*arguments: str) -> str:
        # Debian's 2.9 is older than AWS_ENDPOINT_URL (2.13): the endpoint has to be an option.
        command = [AWS, "--endpoint-url", ministack.endpoint, "s3", *arguments]
        return subprocess.run(command, env=ministack.env, check=True, capture_output=True, text=True, timeout=60).stdout

    listed = aws("ls", "--recursive", f"s3://{access_point.alias}/logs/").splitlines()
    assert [(line[31:], int(line[20:30])) for line in listed] == sorted((f"logs/{name}", len(data)) for name, data in LOGS.items())
    assert aws("ls", f"s3://{access_point.alias}/").split() == ["PRE", "logs/", "PRE", "odd/"]
    copy = tmp_path / "copy.log"
    aws("cp", f"s3://{access_point.alias}/logs/2026/01/03/part 2.log", str(copy))
    assert copy.read_bytes() == LOGS["2026/01/03/part 2.log"]
    folder = tmp_path / "folder"
    aws("cp", "--recursive", f"s3://{access_point.alias}/logs/2026/01/02/", str(folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name.rpartition("/")[2]: data for name, data in LOGS.items() if "/02/" in name
    }


def test_a_large_member_is_downloaded_in_ranges(
    s3_bucket: Bucket, object_lambda_access_point: AccessPointFactory, tmp_path: Path
) -> None:
    data = hashlib.shake_128(b"large").digest(20 << 20)
    url = put_archive(s3_bucket, "large.zip", {"large.bin": data}, tmp_path)
    access_point = object_lambda_access_point(
        s3_bucket,
        zip_of_packages("object_lambda", "indexer"),
        {"S3ARCHIVEFS_PREFIX_VMAP1": f"/|{url}"},
        handler="object_lambda.olap.handler",
    )
    s3_bucket.client.download_file(access_point.alias, "large.bin", str(tmp_path / "large.bin"))
    assert (tmp_path / "large.bin").read_bytes() == data


def test_a_function_whose_settings_cannot_work_says_so(s3_bucket: Bucket, object_lambda_access_point: AccessPointFactory) -> None:
    access_point = object_lambda_access_point(
        s3_bucket,
        zip_of_packages("object_lambda", "indexer"),
        {"S3ARCHIVEFS_PREFIX_VMAP1": "no map"},
        handler="object_lambda.olap.handler",
    )
    calls: list[Any] = [
        lambda: s3_bucket.client.get_object(Bucket=access_point.alias, Key="a"),
        lambda: s3_bucket.client.list_objects_v2(Bucket=access_point.alias),
    ]
    for call in calls:
        with pytest.raises(ClientError, match="settings of this function cannot work") as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "InternalError"


def test_the_cache_is_filled_where_the_variables_say(access_point: AccessPoint, s3_bucket: Bucket, tmp_path: Path) -> None:
    s3_bucket.client.get_object(Bucket=access_point.alias, Key="logs/2026/01/03/part 2.log")
    assert list((tmp_path / "cache").glob("*/*.unit"))


def test_the_log_of_the_function_names_the_fault_in_json(s3_bucket: Bucket, tmp_path: Path) -> None:
    script = (
        "import os, json; from object_lambda.olap import handler;"
        "print(json.dumps(handler({'headObjectContext': {'inputS3Url': 'http://127.0.0.1/ap/v/a'}}, None)))"
    )
    env = {**s3_bucket.server.env, "S3ARCHIVEFS_PREFIX_VMAP1": f"v|{s3_bucket.url}/absent.zip", "PATH": ""}
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(run.stdout)["statusCode"] == 503
    logged = json.loads(run.stderr)
    assert logged["level"] == "ERROR"
    assert "absent.zip" in logged["message"]
