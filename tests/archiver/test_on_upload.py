"""What happens to archives that arrive: each gets its index once, and what fails is seen by whoever can try again."""

import io
import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from archiver import on_upload
from archiver.on_upload import DEFAULT_KINDS, OnUpload, kinds_in
from indexer.drivers import run
from indexer.errors import ArchiveDamaged, SettingInvalid, StoreFailed
from indexer.formats import KINDS
from indexer.indexfile.reader import open_index
from indexer.source.route import RoutedSource
from tests.servers.ministack import Bucket

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def zipped(text: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("member", text)
    return data.getvalue()


def stored(bucket: Bucket, *keys: str) -> dict[str, Any]:
    """The event that S3 sends for these keys, none of which needs escaping."""
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket.name}, "object": {"key": key}},
            }
            for key in keys
        ]
    }


class Function:
    """The function with its log at hand."""

    def __init__(self, bucket: Bucket, scratch: Path, kinds: frozenset[str] = frozenset(DEFAULT_KINDS)) -> None:
        self.log: list[Mapping[str, object]] = []
        self.env = bucket.server.env
        self.handle = OnUpload(self.env, kinds, self.log.append, scratch).handle

    def members(self, bucket: Bucket, key: str) -> int:
        return run(open_index(f"{bucket.url}/{key}.bindery"), RoutedSource(self.env)).members


def test_an_archive_is_indexed_once_however_often_it_is_told(s3_bucket: Bucket, tmp_path: Path) -> None:
    s3_bucket.put("a.zip", zipped(b"one"))
    function = Function(s3_bucket, tmp_path)
    assert function.handle(stored(s3_bucket, "a.zip")) == {"indexed": [f"{s3_bucket.url}/a.zip"]}
    assert function.members(s3_bucket, "a.zip") == 1
    before = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="a.zip.bindery")["LastModified"]
    assert function.handle(stored(s3_bucket, "a.zip", "a.zip")) == {"indexed": []}
    assert s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="a.zip.bindery")["LastModified"] == before
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_was_replaced_gets_a_new_index(s3_bucket: Bucket, tmp_path: Path) -> None:
    function = Function(s3_bucket, tmp_path)
    for text in (b"one", b"other"):
        etag = s3_bucket.put("a.zip", zipped(text))
        assert function.handle(stored(s3_bucket, "a.zip")) == {"indexed": [f"{s3_bucket.url}/a.zip"]}
        index = run(open_index(f"{s3_bucket.url}/a.zip.bindery"), RoutedSource(function.env))
        assert index.archive_etag == etag


def test_what_is_no_archive_is_left_alone(s3_bucket: Bucket, tmp_path: Path) -> None:
    for key in ("a.log.gz", "a.json", "a.zip.bindery", "shelf.bindery-catalog"):
        s3_bucket.put(key, b"not an archive")
    s3_bucket.put("small.tar.zst", b"")
    before = s3_bucket.keys()
    function = Function(s3_bucket, tmp_path, frozenset(["zip"]))
    assert function.handle(stored(s3_bucket, *before, "gone.zip")) == {"indexed": []}
    assert s3_bucket.keys() == before
    assert [line["message"] for line in function.log] == ["the archive is gone by now"]


def test_an_archive_that_cannot_be_indexed_fails_the_call_after_the_others_are_done(s3_bucket: Bucket, tmp_path: Path) -> None:
    s3_bucket.put("bad.zip", b"PK, but not for long")
    s3_bucket.put("good.zip", zipped(b"one"))
    function = Function(s3_bucket, tmp_path)
    with pytest.raises(ArchiveDamaged):
        function.handle(stored(s3_bucket, "bad.zip", "good.zip"))
    assert s3_bucket.keys() == ["bad.zip", "good.zip", "good.zip.bindery"]
    assert [(line["level"], line["archive"]) for line in function.log] == [
        ("ERROR", f"{s3_bucket.url}/bad.zip"),
        ("INFO", f"{s3_bucket.url}/good.zip"),
    ]


def test_a_batch_tells_which_messages_are_to_come_again(s3_bucket: Bucket, tmp_path: Path) -> None:
    s3_bucket.put("bad.zip", b"PK, but not for long")
    s3_bucket.put("good.zip", zipped(b"one"))
    bodies = [stored(s3_bucket, "good.zip"), stored(s3_bucket, "bad.zip"), {"Event": "s3:TestEvent"}, {"odd": 1}]
    batch = {
        "Records": [
            {"eventSource": "aws:sqs", "messageId": f"m{number}", "body": json.dumps(body)} for number, body in enumerate(bodies)
        ]
    }
    function = Function(s3_bucket, tmp_path)
    assert function.handle(batch) == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m3"}]}
    assert function.members(s3_bucket, "good.zip") == 1


def test_a_store_that_cannot_be_reached_is_told_to_whoever_retries(s3_bucket: Bucket, tmp_path: Path) -> None:
    function = Function(s3_bucket, tmp_path)
    handle = OnUpload(
        {**s3_bucket.server.env, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, frozenset(["zip"]), function.log.append, tmp_path
    ).handle
    with pytest.raises(StoreFailed):
        handle(stored(s3_bucket, "a.zip"))


def test_s3_tells_a_queue_and_the_queue_tells_the_function(s3_bucket: Bucket, tmp_path: Path) -> None:
    sqs: SQSClient = s3_bucket.server.client("sqs")
    queue = sqs.create_queue(QueueName=f"{s3_bucket.name}-arrivals")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3_bucket.client.put_bucket_notification_configuration(
        Bucket=s3_bucket.name,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    s3_bucket.put("in/a.zip", zipped(b"one"))
    received: list[Any] = []
    deadline = time.monotonic() + 30
    while not any("in/a.zip" in message["Body"] for message in received) and time.monotonic() < deadline:
        received += sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2, MaxNumberOfMessages=10).get("Messages", [])
    batch = {
        "Records": [{"eventSource": "aws:sqs", "messageId": message["MessageId"], "body": message["Body"]} for message in received]
    }
    function = Function(s3_bucket, tmp_path)
    assert function.handle(batch) == {"batchItemFailures": []}
    assert function.members(s3_bucket, "in/a.zip") == 1
    # The index is an upload too, and must not come round as an archive.
    assert function.handle(stored(s3_bucket, *s3_bucket.keys())) == {"indexed": []}


def test_the_function_reads_its_variables(
    s3_bucket: Bucket, aws_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    s3_bucket.put("a.zip", zipped(b"one"))
    s3_bucket.put("b.tar", b"")
    monkeypatch.setenv("BINDERY_INDEX_KINDS", "zip, squashfs")
    assert on_upload.handler(stored(s3_bucket, "a.zip", "b.tar"), None) == {"indexed": [f"{s3_bucket.url}/a.zip"]}
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["members"] == 1


def test_kinds_that_do_not_exist_are_named() -> None:
    assert kinds_in({}) == frozenset(DEFAULT_KINDS)
    assert KINDS.keys() >= frozenset(DEFAULT_KINDS)
    with pytest.raises(SettingInvalid, match="unknown kinds: rar"):
        kinds_in({"BINDERY_INDEX_KINDS": "zip rar"})
