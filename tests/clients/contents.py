"""What the clients are to find behind every door: logs of awkward names and sizes, and a table in Parquet files."""

import hashlib
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20
LARGE: Final = "logs/large.bin"
ODD: Final = "logs/b c+d%(1)/ü=&.log"
EMPTY: Final = "logs/2026/01/02/empty.log"
SMALL: Final = "logs/2026/01/01/part 1.log"

LOGS: Final[dict[str, bytes]] = {
    **{
        f"logs/2026/01/{day:02}/part {number}.log": b"line of day %d, part %d\n" % (day, number) * (day * 20)
        for day in range(1, 4)
        for number in range(3)
    },
    EMPTY: b"",
    ODD: b"odd\n",
    LARGE: hashlib.shake_128(b"large").digest(20 * MIB),  # three of the 8 MiB parts that the SDKs read at once
}
"""Objects by key."""

SIZES: Final = {key: len(data) for key, data in sorted(LOGS.items())}
DIGESTS: Final = {key: hashlib.sha256(data).hexdigest() for key, data in sorted(LOGS.items())}

TABLE_FILES: Final = 3
ROWS_A_FILE: Final = 50_000
TABLE: Final = {
    "rows": TABLE_FILES * ROWS_A_FILE,
    "ids": sum(range(TABLE_FILES * ROWS_A_FILE)),
    "above": TABLE_FILES * ROWS_A_FILE - 100_001,
}
"""Of the rows in `tables/`: how many, the sum of their ids, and how many ids are above 100,000."""


def write_logs(folder: Path) -> None:
    """The logs as files, under their keys without `logs/`."""
    for key, data in LOGS.items():
        path = folder / key.removeprefix("logs/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def files(folder: Path) -> dict[str, bytes]:
    """The files beneath a folder under the keys they were copied from."""
    return {f"logs/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}
