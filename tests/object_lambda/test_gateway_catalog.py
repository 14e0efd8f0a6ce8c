"""Packed into archives of their own, bound in one catalog, and read with boto3 through the gateway: a bucket's past as it was."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from archiver.catalog import Binding, CatalogEditor, prefix_of
from archiver.pack import pack
from archiver.settings import Format, PackSettings
from indexer.source.route_async import open_async_source
from indexer.source.trace import AsyncTracedSource, Trace
from object_lambda.mount_table import parse_mount
from tests.object_lambda.made_archives import service_over
from tests.servers.gateway import running_gateway
from tests.servers.ministack import Bucket

FORMATS = (Format.TAR_ZST, Format.ZIP)


def packed(bucket: Bucket, prefix: str, number: int, catalog: CatalogEditor) -> None:
    """Pack what is under a prefix and bind it."""
    settings = PackSettings(
        f"{bucket.url}/{prefix}",
        f"{bucket.url}/bound/{number}",
        format=FORMATS[number % 2],
        scratch=Path(tempfile.gettempdir()),
        env={**os.environ, **bucket.server.env},
    )
    report = pack(settings)
    catalog.add([Binding(report.archive.url, report.index, prefix_of(settings))])


def test_days_packed_one_by_one_are_one_bucket_to_boto3(s3_bucket: Bucket) -> None:
    env = {**os.environ, **s3_bucket.server.env}
    bodies = {f"logs/{day:02}/{number:03}.log": b"%d %d\n" % (day, number) * number for day in range(4) for number in range(30)}
    etags = {key: s3_bucket.put(key, body, Metadata={"n": key[-7:-4]}) for key, body in bodies.items()}
    catalog = CatalogEditor(f"{s3_bucket.url}/bound/logs.bindery-catalog", env)
    for day in range(4):
        packed(s3_bucket, f"logs/{day:02}", day, catalog)
    late = {f"logs/02/{number:03}.log": b"late" for number in range(28, 33)}
    for key, body in late.items():
        etags[key] = s3_bucket.put(key, body)
    packed(s3_bucket, "logs/02/", 4, catalog)
    trace = Trace()
    source = AsyncTracedSource(open_async_source(env), trace)
    with running_gateway(service_over(parse_mount(f"past={catalog.url}")), source) as gateway:
        client = gateway.s3
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="past", PaginationConfig={"PageSize": 37})
        listed = {entry["Key"]: entry["ETag"].strip('"') for page in pages for entry in page["Contents"]}
        assert list(listed) == sorted(bodies | late)
        assert listed == etags
        answer = client.list_objects_v2(Bucket="past", Prefix="logs/", Delimiter="/")
        assert [one["Prefix"] for one in answer["CommonPrefixes"]] == [f"logs/{day:02}/" for day in range(4)]
        for key, body in (bodies | late).items():
            if key.endswith(("7.log", "9.log", "0.log")):
                assert client.get_object(Bucket="past", Key=key)["Body"].read() == body
        assert client.head_object(Bucket="past", Key="logs/01/011.log")["Metadata"] == {"n": "011"}
    assert sum(request.url == catalog.url for request in trace.made) == 1
