"""Whom `bindery serve` lets in: keys, everyone, or on loopback everyone with a warning; never a network unasked."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.bindery.conftest import Bindery, Packed
from tests.servers.process import HOST, ServerProcess, free_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SECRET = "reports-secret-0123456789"
KEYS = {"REPORTS": {"secret": SECRET, "read": ["logs/app"]}}
NOBODY_CHOSE = "No keys are given"


@contextmanager
def serving(packed: Packed, tmp_path: Path, *options: str, **env: str) -> Iterator[tuple[str, str]]:
    """Serves the archive as `logs`; yields the endpoint and what it said as it began."""
    port = free_port()
    command = [sys.executable, "-m", "bindery", "serve", "--mount", f"logs={packed.archive}", "--port", str(port), *options]
    server = ServerProcess(command, env={**os.environ, **env}, folder=tmp_path, log=tmp_path / "serve.log")
    try:
        server.wait_until_answering(f"http://{HOST}:{port}/health")
        yield f"http://{HOST}:{port}", server.log.read_text()
    finally:
        server.kill()


def client(endpoint: str, region: str = "us-east-1", secret: str = SECRET) -> "S3Client":
    made: S3Client = boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="REPORTS",
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    return made


def code_of(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(KEYS))
    return path


def test_with_keys_only_who_signs_reads_and_only_what_is_granted(packed: Packed, tmp_path: Path, keys: Path) -> None:
    with serving(packed, tmp_path, "--keys", str(keys), "--region", "eu-north-1") as (endpoint, said):
        assert "to whoever signs with the one key." in said
        assert "--region eu-north-1" in said
        assert NOBODY_CHOSE not in said
        assert SECRET not in said
        s3 = client(endpoint, "eu-north-1")
        listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket="logs", Prefix="app/")["Contents"]]
        assert listed == sorted(name for name in packed.bodies if name.startswith("app/"))
        assert s3.get_object(Bucket="logs", Key=listed[0])["Body"].read() == packed.bodies[listed[0]]
        assert code_of(s3.list_objects_v2, Bucket="logs") == "AccessDenied"
        assert code_of(client(endpoint, "eu-north-1", "x" * 20).list_buckets) == "SignatureDoesNotMatch"
        assert code_of(client(endpoint, "us-east-1").list_buckets) == "AuthorizationHeaderMalformed"


def test_keys_come_from_the_environment_too(packed: Packed, tmp_path: Path) -> None:
    with serving(packed, tmp_path, BINDERY_ACCESS_KEYS=json.dumps(KEYS)) as (endpoint, said):
        assert "to whoever signs" in said
        assert [bucket["Name"] for bucket in client(endpoint).list_buckets()["Buckets"]] == ["logs"]
        assert code_of(client(endpoint, secret="x" * 20).list_buckets) == "SignatureDoesNotMatch"


def test_on_loopback_everyone_reads_when_nobody_chose_and_is_told_so(packed: Packed, tmp_path: Path) -> None:
    with serving(packed, tmp_path) as (endpoint, said):
        assert NOBODY_CHOSE in said
        assert client(endpoint, secret="any").head_bucket(Bucket="logs")


def test_a_network_is_served_to_everyone_by_choice(packed: Packed, tmp_path: Path) -> None:
    with serving(packed, tmp_path, "--anonymous", "--host", "0.0.0.0") as (endpoint, said):
        assert "to everyone who can reach it" in said
        assert NOBODY_CHOSE not in said
        assert client(endpoint, secret="any").head_bucket(Bucket="logs")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "nothing says who may read"),
        (["--host", "::"], "nothing says who may read"),
        (["--host", "gateway.example"], "nothing says who may read"),
        (["--keys", "keys.json", "--anonymous"], "keys are given, and everyone is let in without one"),
        (["--keys", "none.json"], "the file of keys cannot be read: No such file"),
        (["--endpoint", "s3.example.com"], "this is no endpoint"),
        (["--endpoint", "https://s3.example.com/logs"], "begins with the name of this bucket"),
    ],
)
@pytest.mark.usefixtures("keys")
def test_a_choice_that_cannot_stand_ends_the_start(
    bindery: Bindery, packed: Packed, tmp_path: Path, options: list[str], words: str
) -> None:
    ran = bindery("serve", "--mount", f"logs={packed.archive}", "--port", str(free_port()), *options, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, b"")
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_a_key_that_cannot_work_ends_the_start_and_its_secret_is_not_told(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"REPORTS": {"secret": SECRET, "read": ["/"]}}))
    ran = bindery("serve", "--mount", f"logs={packed.archive}", "--keys", path)
    assert ran.code == 2
    assert "key REPORTS: '/' is no grant" in ran.err
    assert SECRET not in ran.err
