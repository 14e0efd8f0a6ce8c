"""fsspec's s3fs."""

from functools import cache
from pathlib import Path
from typing import Any

import s3fs

from tests.clients.programs.place import LOGS, Operations, Place, digest

VERSION = s3fs.__version__


@cache
def filesystem(place: Place) -> Any:
    return s3fs.S3FileSystem(
        key=place.access_key_id,
        secret=place.secret,
        endpoint_url=place.endpoint,
        client_kwargs={"region_name": place.region},
        config_kwargs={"s3": {"addressing_style": "path"}},
        use_listings_cache=False,
    )


def find(place: Place) -> dict[str, int]:
    found = filesystem(place).find(f"{place.bucket}/{LOGS}", detail=True)
    return {name.removeprefix(f"{place.bucket}/"): entry["size"] for name, entry in found.items()}


def open_each(place: Place) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in filesystem(place).find(f"{place.bucket}/{LOGS}"):
        with filesystem(place).open(name) as file:
            found[name.removeprefix(f"{place.bucket}/")] = digest(file.read())
    return found


def get_recursive(place: Place) -> dict[str, str]:
    folder = Path(place.folder, "s3fs")
    filesystem(place).get(f"{place.bucket}/{LOGS}", str(folder), recursive=True)
    return {LOGS + path.relative_to(folder).as_posix(): digest(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


OPERATIONS: Operations = {"find": find, "open": open_each, "get, recursive": get_recursive}
