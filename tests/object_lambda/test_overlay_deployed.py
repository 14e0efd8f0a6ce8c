"""The deployed function over a bucket that is half packed: boto3 and the aws command line through the emulator's access point."""

import subprocess
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.object_lambda.test_olap import AWS, put_archive
from tests.servers.ministack import Bucket, Ministack
from tests.servers.object_lambda import AccessPoint, AccessPointFactory, zip_of_packages

SECRET = "0123456789abcdef0123456789abcdef"
BOUND = {f"2026/01/{number:02}.log": b"bound %d\n" % number for number in range(0, 12, 2)}
LOOSE = {f"2026/01/{number:02}.log": b"loose %d\n" % number for number in range(0, 12, 3)} | {
    "odd/a//b ü+%.txt": b"odd",
    "empty": b"",
}
VISIBLE = {**{f"logs/{name}": body for name, body in LOOSE.items()}, **{f"logs/{name}": body for name, body in BOUND.items()}}


@pytest.fixture
def access_point(
    s3_bucket: Bucket, object_lambda_access_point: AccessPointFactory, ministack: Ministack, tmp_path: Path
) -> AccessPoint:
    """The archive lies in a bucket of its own, so that the live side holds logs alone."""
    archives = Bucket(f"{s3_bucket.name}-archives", ministack)
    archives.client.create_bucket(Bucket=archives.name)
    env = {
        "S3ARCHIVEFS_PREFIX_VMAP1": f"logs|{put_archive(archives, 'logs.zip', BOUND, tmp_path)}",
        "S3ARCHIVEFS_CACHE_DIR": str(tmp_path / "cache"),
        "BINDERY_OVERLAY": "bound",
        "BINDERY_TOKEN_SECRET": SECRET,
    }
    for name, body in LOOSE.items():
        s3_bucket.put(f"logs/{name}", body, Metadata={"colour": "blue"})
    return object_lambda_access_point(
        s3_bucket, zip_of_packages("object_lambda", "indexer"), env, handler="object_lambda.olap.handler"
    )


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_boto3_lists_and_reads_both_sides_as_one(access_point: AccessPoint, s3_bucket: Bucket, operation: str) -> None:
    client = s3_bucket.client
    pages = list(client.get_paginator(operation).paginate(Bucket=access_point.alias, PaginationConfig={"PageSize": 4}))  # type: ignore[call-overload]
    entries = [entry for page in pages for entry in page["Contents"]]
    assert [entry["Key"] for entry in entries] == sorted(VISIBLE, key=str.encode)
    assert {len(page["Contents"]) for page in pages[:-1]} == {4}
    for entry in entries:
        got = client.get_object(Bucket=access_point.alias, Key=entry["Key"])
        head = client.head_object(Bucket=access_point.alias, Key=entry["Key"])
        assert got["Body"].read() == VISIBLE[entry["Key"]]
        for told in ("ETag", "LastModified"):
            assert entry[told] == got[told] == head[told]
        assert entry["Size"] == got["ContentLength"] == head["ContentLength"]
    loose = client.head_object(Bucket=access_point.alias, Key="logs/2026/01/03.log")
    assert loose["Metadata"] == {"colour": "blue"}
    folders = client.list_objects_v2(Bucket=access_point.alias, Prefix="logs/", Delimiter="/")
    assert [folder["Prefix"] for folder in folders["CommonPrefixes"]] == ["logs/2026/", "logs/odd/"]
    assert [entry["Key"] for entry in folders["Contents"]] == ["logs/empty"]


def test_a_loose_object_is_read_in_ranges_and_under_conditions(access_point: AccessPoint, s3_bucket: Bucket) -> None:
    client, name, key = s3_bucket.client, access_point.alias, "logs/2026/01/03.log"
    part = client.get_object(Bucket=name, Key=key, Range="bytes=1-3")
    assert (part["Body"].read(), part["ContentRange"]) == (b"oos", "bytes 1-3/8")
    for parameters, code in (({"IfMatch": '"x"'}, "PreconditionFailed"), ({"Range": "bytes=8-"}, "InvalidRange")):
        with pytest.raises(ClientError, match=code):
            client.get_object(Bucket=name, Key=key, **parameters)  # type: ignore[arg-type]
    with pytest.raises(ClientError, match="304"):
        client.get_object(Bucket=name, Key=key, IfNoneMatch=client.head_object(Bucket=name, Key=key)["ETag"])
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=name, Key="logs/absent")
    with pytest.raises(ClientError, match="404"):
        client.head_object(Bucket=name, Key="logs/absent")


def test_a_large_loose_object_is_streamed(access_point: AccessPoint, s3_bucket: Bucket, tmp_path: Path) -> None:
    body = bytes(range(256)) * (80 << 10)
    s3_bucket.put("large", body)
    s3_bucket.client.download_file(access_point.alias, "large", str(tmp_path / "large"))
    assert (tmp_path / "large").read_bytes() == body


def test_the_aws_command_line_syncs_both_sides_and_then_nothing(
    access_point: AccessPoint, ministack: Ministack, tmp_path: Path
) -> None:
    def sync() -> str:
        command = [
            AWS,
            "--endpoint-url",
            ministack.endpoint,
            "s3",
            "sync",
            f"s3://{access_point.alias}/logs/2026/",
            str(tmp_path / "c"),
        ]
        return subprocess.run(command, env=ministack.env, check=True, capture_output=True, text=True, timeout=60).stdout

    assert sync().count("download:") == len([key for key in VISIBLE if "2026" in key])
    assert {path.name: path.read_bytes() for path in (tmp_path / "c" / "01").iterdir()} == {
        key.rpartition("/")[2]: body for key, body in VISIBLE.items() if "2026" in key
    }
    assert sync() == ""
