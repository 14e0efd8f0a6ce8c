"""The catalog of the worked example in docs/catalog-format.md."""

from indexer.catalogfile.entry import CatalogEntry, CatalogState
from indexer.catalogfile.filter import make_filter
from indexer.indexfile.directory import Children, side_by_side
from indexer.model import Identity

EXAMPLE_URL = "s3://archives/logs/app.bindery-catalog"
LATE_KEYS = (b"app/2024-05-02.log", b"app/2024-05-07.log", b"app/2024-05-09.log")

MAY = CatalogEntry(
    archive=Identity("s3://archives/logs/may.tar.zst", "9b2cf535f27731c974343645a3985328-3", 5_242_880),
    index=Identity("s3://archives/logs/may.tar.zst.bindery", "0cc175b9c0f1b6a831c399e269772661", 41_600),
    kind="tar.zst",
    prefix=b"",
    first=b"app/2024-05-01.log",
    last=b"sys/2024-05-31.log",
    members=1200,
    member_bytes=52_428_800,
    unreadable=0,
    sequence=1,
    table=Children([b"", b"app/2024-05-2", b"s"], side_by_side(16, [20_480, 19_000, 1_000]), [600, 550, 50], [1, 1, 1]),
)
LATE = CatalogEntry(
    archive=Identity("s3://other/late.zip", "5eb63bbbe01eeed093cb22bb8f5acdc3", 900),
    index=Identity("s3://other/indexes/late", "d41d8cd98f00b204e9800998ecf8427e", 700),
    kind="zip",
    prefix=b"app/",
    first=b"2024-05-02.log",
    last=b"2024-05-09.log",
    members=3,
    member_bytes=2_100,
    unreadable=1,
    sequence=2,
    table=Children([b""], side_by_side(16, [300]), [3], [1]),
    filter=make_filter(LATE_KEYS, 3),
)
EXAMPLE = CatalogState((MAY, LATE), 2, "3f9d", ("a07c",))
