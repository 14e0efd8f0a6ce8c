"""duckdb with httpfs."""

from functools import cache
from typing import Any

import duckdb
import duckdb_ext

from tests.clients.programs.place import LOGS, TABLES, Operations, Place, digest

VERSION = duckdb.__version__


@cache
def connection(place: Place) -> Any:
    made = duckdb_ext.init(duckdb.connect())
    made.execute("LOAD httpfs")
    made.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{place.access_key_id}', SECRET '{place.secret}', REGION '{place.region}',"
        f" ENDPOINT '{place.host}', USE_SSL false, URL_STYLE 'path')"
    )
    return made


def read_parquet(place: Place) -> dict[str, int]:
    sql = f"SELECT count(*), sum(id)::BIGINT, count(*) FILTER (id > 100000) FROM 's3://{place.bucket}/{TABLES}*.parquet'"
    rows, ids, above = connection(place).execute(sql).fetchone()
    return {"rows": rows, "ids": ids, "above": above}


def read_blob(place: Place) -> dict[str, str]:
    """Every log of the three days, found by a glob."""
    sql = f"SELECT filename, content FROM read_blob('s3://{place.bucket}/{LOGS}2026/**')"
    found = connection(place).execute(sql).fetchall()
    return {name.removeprefix(f"s3://{place.bucket}/"): digest(content) for name, content in found}


OPERATIONS: Operations = {"read_parquet": read_parquet, "read_blob": read_blob}
