"""obstore (Rust object_store)."""

from functools import cache

import obstore
from obstore.store import S3Store

from tests.clients.programs.place import LOGS, Operations, Place, digest

VERSION = obstore.__version__


@cache
def store(place: Place) -> S3Store:
    return S3Store(
        place.bucket,
        endpoint=place.endpoint,
        region=place.region,
        access_key_id=place.access_key_id,
        secret_access_key=place.secret,
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def list_all(place: Place) -> dict[str, int]:
    return {entry["path"]: entry["size"] for page in store(place).list(LOGS) for entry in page}


def get(place: Place) -> dict[str, str]:
    return {path: digest(bytes(store(place).get(path).bytes())) for path in list_all(place)}


def head(place: Place) -> dict[str, int]:
    return {path: store(place).head(path)["size"] for path in list_all(place)}


def get_ranges(place: Place) -> dict[str, str]:
    """Each object in two halves; an empty one has no range to ask for."""
    found: dict[str, str] = {}
    for path, size in list_all(place).items():
        starts, ends = ([0, size // 2], [size // 2, size]) if size else ([], [])
        found[path] = digest(b"".join(bytes(part) for part in store(place).get_ranges(path, starts=starts, ends=ends)))
    return found


OPERATIONS: Operations = {"list": list_all, "get": get, "head": head, "get_ranges": get_ranges}
