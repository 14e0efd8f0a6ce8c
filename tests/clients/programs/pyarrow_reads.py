"""pyarrow: its S3 file system (aws-sdk-cpp), and a dataset of Parquet files over it."""

from functools import cache
from typing import Any

import pyarrow
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from tests.clients.programs.place import LOGS, TABLES, Operations, Place, digest

VERSION = pyarrow.__version__


@cache
def filesystem(place: Place) -> Any:
    return fs.S3FileSystem(
        access_key=place.access_key_id,
        secret_key=place.secret,
        region=place.region,
        scheme="http",
        endpoint_override=place.host,
        force_virtual_addressing=False,
    )


def selected(place: Place) -> list[Any]:
    found = filesystem(place).get_file_info(fs.FileSelector(f"{place.bucket}/{LOGS.rstrip('/')}", recursive=True))
    return [entry for entry in found if entry.type == fs.FileType.File]


def get_file_info(place: Place) -> dict[str, int]:
    return {entry.path.removeprefix(f"{place.bucket}/"): entry.size for entry in selected(place)}


def open_input_file(place: Place) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in selected(place):
        with filesystem(place).open_input_file(entry.path) as file:
            found[entry.path.removeprefix(f"{place.bucket}/")] = digest(file.read())
    return found


def dataset(place: Place) -> dict[str, int]:
    table = ds.dataset(f"{place.bucket}/{TABLES}", filesystem=filesystem(place), format="parquet")
    above = table.count_rows(filter=pc.field("id") > 100_000)
    return {"rows": table.count_rows(), "ids": pc.sum(table.to_table(columns=["id"])["id"]).as_py(), "above": above}


OPERATIONS: Operations = {"get_file_info": get_file_info, "open_input_file": open_input_file, "dataset": dataset}
