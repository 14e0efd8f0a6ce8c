"""The archives that the questions about reading share: the same objects in every kind, on S3, ours and zips with their indexes."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from indexer.formats import by_name

if TYPE_CHECKING:
    from tests.bench.bench import Bench
    from tests.bench.objects import Objects

PREFIX: Final = "shelf"
COMMANDS: Final = {
    "all.zip": "zip -q -r {out} .",
    "tenth.zip": "sort {list} | head -n {tenth} | zip -q {out} -@",
    "all.tar": "tar --sort=name -cf {out} .",
    "all.tar.gz": "tar --sort=name -czf {out} .",
    "all.sqfs": "mksquashfs . {out} -comp zstd -quiet -no-progress -no-xattrs -all-root",
}
OURS: Final = "all.tar.zst"
INDEXED: Final = tuple(name for name in COMMANDS if by_name(name) is not None)
"""Those of others that we index where they lie."""


class Shelf:
    """Archives at `s3://bench/shelf/NAME`.

    Attributes:
        objects: What is in them; in `tenth.zip` the first tenth only.
        sizes: Length of each, by name.
        key: A member of all of them.
        body: Its bytes.
    """

    def __init__(self, bench: "Bench") -> None:
        self.objects: Objects = bench.objects
        folder: Path = bench.scratch("shelf")
        names = sorted(self.objects.keys)
        self.key = names[len(names) // 20]
        self.body = self.objects.body(self.key)
        listed = folder / "list"
        listed.write_text("".join(f"{name}\n" for name in names))
        for name, command in COMMANDS.items():
            out = folder / name
            told = command.format(out=out, list=listed, tenth=len(names) // 10)
            bench.run("sh", "-c", told, folder=self.objects.folder)
            bench.server.upload(out, self.key_of(name))
            out.unlink()
        env = bench.server.env
        bench.bindery("pack", self.objects.folder, self.url(OURS), env=env)
        for name in INDEXED:
            bench.bindery("index", self.url(name), env=env)
        self.sizes: dict[str, int] = {name: bench.server.store.head(self.key_of(name))["size"] for name in (OURS, *COMMANDS)}

    @staticmethod
    def url(name: str) -> str:
        """Where an archive is, for clients of S3."""
        return f"s3://bench/{PREFIX}/{name}"

    @staticmethod
    def key_of(name: str) -> str:
        """Its key."""
        return f"{PREFIX}/{name}"
