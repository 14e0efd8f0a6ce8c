"""minio-py."""

from functools import cache
from pathlib import Path
from typing import Any

import minio

from tests.clients.programs.place import LOGS, Operations, Place, digest

VERSION = minio.__version__


@cache
def client(place: Place) -> Any:
    return minio.Minio(endpoint=place.host, access_key=place.access_key_id, secret_key=place.secret, secure=False)


def list_objects(place: Place) -> dict[str, int]:
    listed = client(place).list_objects(bucket_name=place.bucket, prefix=LOGS, recursive=True)
    return {entry.object_name: entry.size for entry in listed}


def stat_object(place: Place) -> dict[str, int]:
    return {key: client(place).stat_object(bucket_name=place.bucket, object_name=key).size for key in list_objects(place)}


def get_object(place: Place) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in list_objects(place):
        answer = client(place).get_object(bucket_name=place.bucket, object_name=key)
        found[key] = digest(answer.read())
        answer.close()
        answer.release_conn()
    return found


def fget_object(place: Place) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in list_objects(place):
        path = Path(place.folder, "minio")
        client(place).fget_object(bucket_name=place.bucket, object_name=key, file_path=str(path))
        found[key] = digest(path.read_bytes())
        path.unlink()
    return found


OPERATIONS: Operations = {
    "list_objects": list_objects,
    "stat_object": stat_object,
    "get_object": get_object,
    "fget_object": fget_object,
}
