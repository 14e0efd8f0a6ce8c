"""polars: a lazy scan of Parquet files."""

from typing import Any

import polars as pl

from tests.clients.programs.place import TABLES, Operations, Place

VERSION = pl.__version__


def scan(place: Place, files: str) -> Any:
    return pl.scan_parquet(
        f"s3://{place.bucket}/{TABLES}{files}",
        storage_options={
            "aws_access_key_id": place.access_key_id,
            "aws_secret_access_key": place.secret,
            "aws_region": place.region,
            "aws_endpoint_url": place.endpoint,
            "aws_allow_http": "true",
        },
    )


def scan_parquet(place: Place) -> dict[str, int]:
    table = scan(place, "*.parquet")
    rows, ids = table.select(pl.len(), pl.col("id").sum()).collect().row(0)
    above = table.filter(pl.col("id") > 100_000).select(pl.len()).collect().item()
    return {"rows": rows, "ids": ids, "above": above}


def one_column(place: Place) -> int:
    """One column of the last file."""
    found: int = scan(place, "part-2.parquet").select(pl.col("id").max()).collect().item()
    return found


OPERATIONS: Operations = {"scan_parquet": scan_parquet, "scan_parquet, one column": one_column}
