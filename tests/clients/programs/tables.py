"""`python -m tests.clients.programs.tables FOLDER FILES ROWS`: writes the Parquet files that the table readers read."""

import random
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def main(folder: Path, files: int, rows: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        drawn = random.Random(number)  # values that do not compress away: several row groups and pages are read
        table = pa.table(
            {
                "id": pa.array(range(number * rows, (number + 1) * rows), pa.int64()),
                "value": pa.array([drawn.random() for _ in range(rows)], pa.float64()),
                "name": pa.array([f"row {drawn.getrandbits(32):08x}" for _ in range(rows)]),
            }
        )
        pq.write_table(table, folder / f"part-{number}.parquet", row_group_size=rows // 4)


main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
