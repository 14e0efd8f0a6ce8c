"""What docs/semantics.md claims about who may read, over the wire: real signatures by boto3, one gateway, several keys."""

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from indexer.source.memory import AsyncMemorySource
from object_lambda.keyring import parse_keys
from object_lambda.signed_access import SignedAccess
from tests.object_lambda.made_archives import mount, put_archive, service_over
from tests.servers.gateway import REGION, GatewayServer, running_gateway

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SECRETS = {"REPORTS": "reports-reports-reports", "BACKUP": "backup-backup-backup"}
KEYS = {
    "REPORTS": {"secret": SECRETS["REPORTS"], "read": ["bucket/logs/a", "open"]},
    "BACKUP": {"secret": SECRETS["BACKUP"], "read": ["*"]},
}
CONTENTS = {"logs/a/1": b"one", "logs/a/2": b"two", "logs/ab": b"beside", "logs/b/1": b"other"}


@pytest.fixture(scope="module")
def server() -> Iterator[GatewayServer]:
    objects: dict[str, bytes] = {}
    put_archive(objects, CONTENTS)
    mounts = [mount(bucket) for bucket in ("bucket", "closed", "open")]
    access = SignedAccess(parse_keys(json.dumps(KEYS), place="the test"), region=REGION, now=time.time)
    with running_gateway(service_over(*mounts), AsyncMemorySource(objects), access=access) as running:
        yield running


def client(server: GatewayServer, key: str, secret: str | None = None) -> "S3Client":
    made: S3Client = boto3.session.Session().client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret or SECRETS[key],
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    return made


def refused(call: Callable[..., Any], **parameters: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]


def test_without_a_signature_of_a_known_key_nothing_is_told(server: GatewayServer) -> None:
    for target in ("/", "/bucket", "/bucket/logs/a/1", "/bucket/absent", "/absent"):
        answer = server.ask(target)
        assert (answer.status, b"<Code>AccessDenied</Code>" in answer.body) == (403, True)
    wrong, unknown = client(server, "BACKUP", "not-the-secret-of-it"), client(server, "NOBODY", "x" * 20)
    assert refused(wrong.get_object, Bucket="bucket", Key="logs/a/1") == (403, "SignatureDoesNotMatch")
    assert refused(unknown.get_object, Bucket="bucket", Key="logs/a/1") == (403, "InvalidAccessKeyId")


def test_a_key_reads_and_lists_what_it_is_granted_and_nothing_else(server: GatewayServer) -> None:
    s3 = client(server, "REPORTS")
    assert s3.get_object(Bucket="bucket", Key="logs/a/1")["Body"].read() == b"one"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket", Prefix="logs/a/")["Contents"]] == ["logs/a/1", "logs/a/2"]
    assert s3.list_objects_v2(Bucket="open")["KeyCount"] == len(CONTENTS)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["bucket", "open"]
    for key in ("logs/ab", "logs/b/1", "absent"):
        assert refused(s3.get_object, Bucket="bucket", Key=key) == (403, "AccessDenied")
    for prefix in ("", "logs/", "logs/a", "logs/b/"):
        assert refused(s3.list_objects_v2, Bucket="bucket", Prefix=prefix) == (403, "AccessDenied")
    for bucket in ("closed", "absent"):
        assert refused(s3.list_objects_v2, Bucket=bucket) == (403, "AccessDenied")
    assert client(server, "BACKUP").list_objects_v2(Bucket="closed")["KeyCount"] == len(CONTENTS)


def test_a_presigned_url_opens_its_key_alone(server: GatewayServer) -> None:
    url = client(server, "REPORTS").generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "logs/a/1"})
    target = url.removeprefix(server.endpoint)
    assert server.ask(target).body == b"one"
    assert server.ask(target.replace("logs/a/1", "logs/a/2")).status == 403
    assert server.ask(target, "HEAD").status == 403
