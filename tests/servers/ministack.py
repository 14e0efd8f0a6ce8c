"""ministack, an AWS emulator in one process: S3, SQS, Lambda (as subprocesses, no containers), S3 Object Lambda.

What it does not do: it checks no signatures, so tests of signing need another peer. Everything is kept in memory.
"""

import itertools
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from tests.servers.process import HOST, ServerProcess, free_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"
ACCOUNT = "000000000000"  # what ministack makes of an access key that is not twelve digits
ACCESS_KEY = "test"
SECRET_KEY = "test"
BUCKET_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Ministack:
    """A running emulator: where it is and how to speak to it."""

    port: int
    process: ServerProcess

    @property
    def endpoint(self) -> str:
        """The path-style endpoint."""
        return f"http://{HOST}:{self.port}"

    @property
    def localhost_endpoint(self) -> str:
        """The endpoint whose subdomains carry a bucket or access point name (see `localhost_subdomains`)."""
        return f"http://localhost:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """The AWS variables with which boto3, the aws command line and bindery itself reach this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, *, endpoint: str | None = None, **config: Any) -> Any:
        """A boto3 client for `service`; the caller annotates its type. Keywords go to botocore's Config."""
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload]  # boto3's stubs want a literal
            endpoint_url=endpoint or self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(**{"retries": {"total_max_attempts": 1}, **config}),
        )

    @cached_property
    def s3(self) -> "S3Client":
        """One S3 client for all tests: making one costs 50 ms."""
        client: S3Client = self.client("s3", s3={"addressing_style": "path"})
        return client


@dataclass(frozen=True)
class Bucket:
    """A bucket of the test's own."""

    name: str
    server: Ministack

    @property
    def client(self) -> "S3Client":
        """The boto3 client, path style, no retries."""
        return self.server.s3

    @property
    def url(self) -> str:
        """`s3://name`, without a closing slash."""
        return f"s3://{self.name}"

    def put(self, key: str, body: bytes, **properties: Any) -> str:
        """Stores an object and returns its ETag without quotes. Properties are PutObject's (`Metadata`, ...)."""
        answer = self.client.put_object(Bucket=self.name, Key=key, Body=body, **properties)
        return answer["ETag"].strip('"')

    def get(self, key: str) -> bytes:
        """The whole body of one object."""
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def keys(self, prefix: str = "") -> list[str]:
        """All keys under the prefix, in the order S3 lists them."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def uploads(self) -> list[str]:
        """Keys of the multipart uploads that were begun and neither completed nor aborted."""
        return [entry["Key"] for entry in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])]


def start_ministack(folder: Path) -> Ministack:
    """Starts the emulator with its temporary files under `folder`; the caller kills its process."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = ServerProcess(
        # -m, not the console script: the same environment's Python then also runs the Lambda functions.
        [sys.executable, "-m", "ministack"],
        env=inherited
        | {
            "BIND_HOST": HOST,  # the default is every interface
            "GATEWAY_PORT": str(port),
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(folder),
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        folder=folder,
        log=folder / "ministack.log",
    )
    process.wait_until_answering(f"http://{HOST}:{port}/_ministack/health")
    return Ministack(port=port, process=process)


@pytest.fixture(scope="session")
def ministack(server_folder: Path) -> Iterator[Ministack]:
    """One emulator for each test process."""
    folder = server_folder / "ministack"
    folder.mkdir()
    server = start_ministack(folder)
    try:
        yield server
    finally:
        server.process.kill()


@pytest.fixture
def s3_bucket(ministack: Ministack) -> Iterator[Bucket]:
    """An empty bucket, emptied and removed afterwards so that its objects do not stay in the emulator's memory."""
    bucket = Bucket(name=f"bucket-{next(BUCKET_NUMBERS)}", server=ministack)
    bucket.client.create_bucket(Bucket=bucket.name)
    yield bucket
    for upload in bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []):
        bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=upload["Key"], UploadId=upload["UploadId"])
    keys = bucket.keys()
    for first in range(0, len(keys), 1_000):
        bucket.client.delete_objects(
            Bucket=bucket.name,
            Delete={"Objects": [{"Key": key} for key in keys[first : first + 1_000]], "Quiet": True},
        )
    bucket.client.delete_bucket(Bucket=bucket.name)


@pytest.fixture
def aws_environment(ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """This process's own environment points at the emulator, as a user's shell would."""
    for name, value in ministack.env.items():
        monkeypatch.setenv(name, value)
    return ministack.env
