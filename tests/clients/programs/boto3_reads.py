"""boto3: client, resource, transfers, paginators."""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
from botocore.config import Config

from tests.clients.programs.place import LOGS, Operations, Place, digest

VERSION = boto3.__version__


@cache
def session(place: Place) -> Any:
    return boto3.session.Session(place.access_key_id, place.secret, region_name=place.region)


@cache
def client(place: Place, **config: Any) -> Any:
    config = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}, **config}
    return session(place).client("s3", endpoint_url=place.endpoint, config=Config(**config))


def keys(place: Place) -> list[str]:
    return [entry["Key"] for entry in client(place).list_objects_v2(Bucket=place.bucket, Prefix=LOGS)["Contents"]]


def get_object(place: Place) -> dict[str, str]:
    return {key: digest(client(place).get_object(Bucket=place.bucket, Key=key)["Body"].read()) for key in keys(place)}


def head_object(place: Place) -> dict[str, int]:
    return {key: client(place).head_object(Bucket=place.bucket, Key=key)["ContentLength"] for key in keys(place)}


def resource(place: Place) -> dict[str, str]:
    bucket = session(place).resource("s3", endpoint_url=place.endpoint).Bucket(place.bucket)
    return {entry.key: digest(entry.get()["Body"].read()) for entry in bucket.objects.filter(Prefix=LOGS)}


def download_file(place: Place) -> dict[str, str]:
    return downloaded(place, client(place))


def download_file_when_required(place: Place) -> dict[str, str]:
    return downloaded(place, client(place, response_checksum_validation="when_required"))


def downloaded(place: Place, from_client: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in keys(place):
        path = Path(place.folder, "downloaded")
        from_client.download_file(place.bucket, key, str(path))
        found[key] = digest(path.read_bytes())
        path.unlink()
    return found


def list_objects_v2(place: Place) -> dict[str, int]:
    return paginated(place, "list_objects_v2")


def list_objects(place: Place) -> dict[str, int]:
    return paginated(place, "list_objects")


def paginated(place: Place, operation: str) -> dict[str, int]:
    pages = client(place).get_paginator(operation).paginate(Bucket=place.bucket, Prefix=LOGS, PaginationConfig={"PageSize": 5})
    return {entry["Key"]: entry["Size"] for page in pages for entry in page["Contents"]}


def presigned(place: Place) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in keys(place):
        with urlopen(client(place).generate_presigned_url("get_object", {"Bucket": place.bucket, "Key": key})) as answer:
            found[key] = digest(answer.read())
    return found


OPERATIONS: Operations = {
    "get_object": get_object,
    "head_object": head_object,
    "resource": resource,
    "download_file": download_file,
    "download_file, when_required": download_file_when_required,
    "list_objects_v2, 5 a page": list_objects_v2,
    "list_objects, 5 a page": list_objects,
    "presigned URL": presigned,
}
