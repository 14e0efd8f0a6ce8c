"""Clients that are libraries: programs in tests/clients/programs read with them and tell what they found."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.clients.contents import DIGESTS, ROWS_A_FILE, SIZES, TABLE, TABLE_FILES
from tests.clients.rows import ACCESS_POINT
from tests.clients.visit import NODE, PYTHON, ROOT, Client, Operation, Visit

DAYS: Final = {key: found for key, found in DIGESTS.items() if key.startswith("logs/2026/")}


def python(name: str, module: str, expected: Mapping[str, Any], not_at: Mapping[str, str] | None = None) -> Client:
    """A client of Python's, by its module in tests/clients/programs and what each operation has to find."""
    return _client(name, (PYTHON, "-m", "tests.clients.programs", module), expected, not_at or {})


def javascript(name: str, script: str, expected: Mapping[str, Any]) -> Client:
    """A client of node's."""
    return _client(name, (NODE, str(ROOT / "tests" / "clients" / "programs" / script)), expected, {})


def _client(name: str, command: Sequence[str], expected: Mapping[str, Any], not_at: Mapping[str, str]) -> Client:
    def asks(operation: str) -> Operation:
        def ask(visit: Visit) -> None:
            found = visit.program(*command).ask(operation)
            assert found == expected[operation], f"found {str(found)[:500]}"

        return ask

    operations = {operation: asks(operation) for operation in expected}
    return Client(name, lambda visit: visit.program(*command).version, operations, not_at)


LIBRARIES: Final = (
    python(
        "boto3",
        "boto3_reads",
        {
            "get_object": DIGESTS,
            "head_object": SIZES,
            "resource": DIGESTS,
            "download_file": DIGESTS,
            "download_file, when_required": DIGESTS,
            "list_objects_v2, 5 a page": SIZES,
            "list_objects, 5 a page": SIZES,
            "presigned URL": DIGESTS,
        },
    ),
    python("fsspec s3fs", "s3fs_reads", {"find": SIZES, "open": DIGESTS, "get, recursive": DIGESTS}),
    python("obstore", "obstore_reads", {"list": SIZES, "get": DIGESTS, "head": SIZES, "get_ranges": DIGESTS}),
    python("pyarrow", "pyarrow_reads", {"get_file_info": SIZES, "open_input_file": DIGESTS, "dataset": TABLE}),
    python(
        "polars",
        "polars_reads",
        {"scan_parquet": TABLE, "scan_parquet, one column": TABLE_FILES * ROWS_A_FILE - 1},
    ),
    python("duckdb httpfs", "duckdb_reads", {"read_parquet": TABLE, "read_blob": DAYS}),
    python(
        "minio-py",
        "minio_reads",
        {"list_objects": SIZES, "stat_object": SIZES, "get_object": DIGESTS, "fget_object": DIGESTS},
        {ACCESS_POINT: "minio-py refuses names that end in --ol-s3"},
    ),
    javascript(
        "aws-sdk-js v3",
        "aws_sdk_js.cjs",
        {
            "paginateListObjectsV2, 5 a page": SIZES,
            "HeadObject": SIZES,
            "GetObject": DIGESTS,
            "GetObject in two ranges": DIGESTS,
        },
    ),
)
