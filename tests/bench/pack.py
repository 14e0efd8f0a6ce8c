"""How fast objects are packed, in what memory, and how small they become, beside zip, tar with zstd, mksquashfs and rclone."""

import json
import statistics
from pathlib import Path
from typing import Any, Final

from indexer.limits import KIB
from tests.bench import objects
from tests.bench.bench import Bench
from tests.bench.measure import Cost
from tests.bench.objects import Objects
from tests.bench.table import Answer, Table, mb, number

LEVELS: Final = ("default", "fast", "dense")
LARGE_BYTES: Final = 1_000_000
TAR: Final = "tar --sort=name -cf - ."
STORED_MOST: Final = {"default": 1.25, "dense": 1.12}
LOOKED_AT: Final = 400


def measure(bench: Bench) -> Answer:
    """Measure it from a folder, from S3 to S3, and on real lines where there are some."""
    answer = Answer("Pack")
    made = bench.objects
    answer.tables += [_folder(bench, answer, made), _store(bench, answer, made), _large(bench, answer)]
    answer.tables += _sizes(bench, answer, made)
    for name in ("packed", "packed-large", "large", "sized", "sizes"):
        bench.drop(name)
    return answer


class Rates(Table):
    """A table of packers; the first row is what the others are compared with."""

    def __init__(self, title: str, note: str) -> None:
        columns = (
            "packer",
            "objects/s of CPU",
            "MB/s of CPU",
            "CPU s",
            "CPU to ours",
            "peak RSS MB",
            "stored MB",
            "CPU by phase, s",
        )
        super().__init__(title, columns, note=note)
        self._ours_s = 0.0

    def packed(self, name: str, made: Objects, cost: Cost, stored_bytes: int, *, phases: dict[str, float] | None = None) -> None:
        """Add a packer and what it took for `made`."""
        each_s = cost.cpu_s / made.count
        self._ours_s = self._ours_s or each_s
        self.add(
            name,
            number(int(made.count / cost.cpu_s)),
            number(made.total_bytes / cost.cpu_s / 1e6),
            number(cost.cpu_s),
            f"{each_s / self._ours_s:.2f}",
            mb(cost.rss_bytes),
            mb(stored_bytes),
            ", ".join(f"{phase} {number(taken)}" for phase, taken in (phases or {}).items()) or "-",
        )


def _folder(bench: Bench, answer: Answer, made: Objects) -> Table:
    table = Rates(
        f"{made.count:,} objects of {made.total_bytes / made.count:,.0f} bytes from a local folder",
        "CPU of all threads and children. Ours writes the archive, indexes it from its bytes, reads every member back and writes "
        "the index; the others write an archive. One run each; zstd -19 gets a tenth of the objects, its rate is told for those.",
    )
    out = bench.scratch("packed")
    for level in LEVELS:
        bench.tell(f"pack: folder, {level}")
        cost, told = _pack(bench, str(made.folder), str(out / f"{level}.tar.zst"), "tar.zst", level)
        table.packed(f"bindery tar.zst {level}", made, cost, told["stored_bytes"] + told["index_bytes"], phases=told["phases"])
        if level == "default":
            answer.at_least("pack from a folder, default level", made.count / cost.cpu_s, 2_000, "objects/s")
            answer.at_most("pack from a folder, peak RSS", cost.rss_bytes / KIB**2, 256, "MiB")
    bench.tell("pack: folder, zip")
    cost, told = _pack(bench, str(made.folder), str(out / "default.zip"), "zip", "default")
    table.packed("bindery zip default", made, cost, told["stored_bytes"] + told["index_bytes"], phases=told["phases"])
    rivals = {
        "zip -r (deflate)": ("zip -q -r {out} .", "rival.zip"),
        "tar, zstd -3": (TAR + " | zstd -q -T1 -3 -o {out}", "3.tar.zst"),
        "tar, zstd -9": (TAR + " | zstd -q -T1 -9 -o {out}", "9.tar.zst"),
        "tar, gzip": (TAR + " | gzip > {out}", "rival.tar.gz"),
        "mksquashfs zstd (128 KiB blocks)": (
            "mksquashfs . {out} -comp zstd -quiet -no-progress -no-xattrs -all-root -processors 1", "rival.squashfs",
        ),
        "rclone archive create (zip, stores)": ("rclone archive create -q . {out}", "rclone.zip"),
    }  # fmt: skip
    for name, (command, file) in rivals.items():
        bench.tell(f"pack: folder, {name}")
        path = out / file
        cost = bench.run("sh", "-c", command.format(out=path), folder=made.folder)
        table.packed(name, made, cost, path.stat().st_size)
    bench.tell("pack: folder, tar, zstd -19")
    few, path, listed = _tenth(made), out / "19.tar.zst", out / "few"
    listed.write_text("".join(f"{key}\n" for key in sorted(few.keys)))
    cost = bench.run("sh", "-c", f"tar -cf - -T {listed} | zstd -q -T1 -19 --long=27 -o {path}", folder=made.folder)
    table.packed("tar, zstd -19 --long=27", few, cost, path.stat().st_size)
    return table


def _tenth(made: Objects) -> Objects:
    """Every tenth object, for those who would take too long."""
    keys = made.keys[::10]
    return Objects(made.folder, len(keys), sum(len(made.body(key)) for key in keys), keys)


def _store(bench: Bench, answer: Answer, made: Objects) -> Table:
    table = Rates(
        f"{made.count:,} objects of {made.total_bytes / made.count:,.0f} bytes from S3 to S3",
        "CPU of the packer alone, the emulator's is not counted. rclone packs a tenth of the objects; its rate is told for those.",
    )
    bench.tell("pack: upload")
    source = objects.upload(made, bench.server, "objects")
    few = _tenth(made)
    objects.upload(few, bench.server, "few")
    for level in LEVELS[:2]:
        bench.tell(f"pack: S3, {level}")
        cost, told = _pack(bench, source, f"s3://bench/packed/{level}.tar.zst", "tar.zst", level, env=bench.server.env)
        table.packed(f"bindery tar.zst {level}", made, cost, told["stored_bytes"] + told["index_bytes"], phases=told["phases"])
        if level == "default":
            answer.at_least("pack from S3 to S3, default level", made.count / cost.cpu_s, 2_000, "objects/s")
            answer.at_most("pack from S3 to S3, peak RSS", cost.rss_bytes / KIB**2, 256, "MiB")
    bench.tell("pack: S3, rclone")
    cost = bench.run("rclone", "archive", "create", "-q", "S3:bench/few", "S3:bench/packed/rclone.zip", env=bench.server.env)
    table.packed("rclone archive create (zip, stores)", few, cost, bench.server.store.head("packed/rclone.zip")["size"])
    return table


def _large(bench: Bench, answer: Answer) -> Table:
    count = 40 if bench.quick else 300
    made = objects.write(objects.large(count, LARGE_BYTES), bench.scratch("large"))
    table = Rates(f"{count} objects of {LARGE_BYTES:,} bytes", "What a byte costs, where the object itself hardly counts.")
    out = bench.scratch("packed-large")
    for level in LEVELS:
        bench.tell(f"pack: large objects, {level}")
        cost, told = _pack(bench, str(made.folder), str(out / f"{level}.tar.zst"), "tar.zst", level)
        table.packed(f"bindery tar.zst {level}, folder", made, cost, told["stored_bytes"], phases=told["phases"])
        if level == "default":
            answer.at_least("pack of large objects, default level, folder", made.total_bytes / cost.cpu_s / 1e6, 100, "MB/s")
    source = objects.upload(made, bench.server, "large")
    cost, told = _pack(bench, source, "s3://bench/packed/large.tar.zst", "tar.zst", "default", env=bench.server.env)
    table.packed("bindery tar.zst default, S3 to S3", made, cost, told["stored_bytes"], phases=told["phases"])
    answer.at_least("pack of large objects, default level, S3 to S3", made.total_bytes / cost.cpu_s / 1e6, 100, "MB/s")
    for level_name in ("-3", "-9"):
        path = out / f"{level_name}.zst"
        cost = bench.run("sh", "-c", f"{TAR} | zstd -q -T1 {level_name} -o {path}", folder=made.folder)
        table.packed(f"tar, zstd {level_name}", made, cost, path.stat().st_size)
    return table


def _pack(
    bench: Bench, source: str, destination: str, format_name: str, level: str, *, env: dict[str, str] | None = None
) -> tuple[Cost, dict[str, Any]]:
    cost = bench.child("pack", source, destination, format_name, level, env=env)
    told: dict[str, Any] = json.loads(cost.stdout)
    return cost, told


def _sizes(bench: Bench, answer: Answer, made: Objects) -> list[Table]:
    """Sizes of real lines where there are some; else of a part of the generated ones, which say little."""
    if bench.corpus is None:
        few = objects.write(objects.small(min(made.count, 10_000)), bench.scratch("sized"))
        return [_sized(bench, answer, few, "generated lines", judged=False)]
    return [_sized(bench, answer, objects.write(objects.real(bench.corpus), bench.scratch("sized")), "real log lines", judged=True)]


def _sized(bench: Bench, answer: Answer, made: Objects, what: str, *, judged: bool) -> Table:
    bench.tell(f"pack: sizes of {what}")
    out = bench.scratch("sizes")
    solid_tar, bodies, solid = out / "solid.tar.zst", out / "bodies", out / "bodies.zst"
    bench.run("sh", "-c", f"{TAR} | zstd -q -19 --long=27 -o {solid_tar}", folder=made.folder)
    bodies.write_bytes(b"".join(made.body(key) for key in sorted(made.keys)))
    bench.run("zstd", "-q", "-19", "--long=27", bodies, "-o", solid)
    tar_bytes, body_bytes = solid_tar.stat().st_size, solid.stat().st_size
    table = Table(
        f"Stored size of {made.count:,} objects of {what}, {mb(made.total_bytes)} MB",
        ("stored as", "archive B", "index B", "index B a member", "to solid bodies, zstd -19", "to tar, zstd -19",
         "page and frame, p50 B", "p99 B", "largest B"),
        note=f"Solid `zstd -19 --long=27` of the bodies alone: {body_bytes:,} B; of the tar: {tar_bytes:,} B. Ratios are of the "
        "archive without its index, which is what replaces the names and the metadata of the tar. Page and frame: bytes fetched "
        "for one member with the root known, its own among them.",
    )  # fmt: skip
    for format_name, level in [("tar.zst", level) for level in LEVELS] + [("zip", "default")]:
        archive = out / f"{level}.{format_name}"
        _, told = _pack(bench, str(made.folder), str(archive), format_name, level)
        fetched = _fetched(bench, made, archive)
        ratio = told["stored_bytes"] / body_bytes
        p99 = fetched[len(fetched) * 99 // 100]
        table.add(
            f"bindery {format_name} {level}", f"{told['stored_bytes']:,}", f"{told['index_bytes']:,}",
            number(told["index_bytes"] / made.count), f"{ratio:.3f}", f"{told['stored_bytes'] / tar_bytes:.3f}",
            f"{statistics.median_high(fetched):,}", f"{p99:,}", f"{fetched[-1]:,}",
        )  # fmt: skip
        if format_name == "tar.zst":
            if judged and level in STORED_MOST:
                most = STORED_MOST[level]
                answer.at_most(
                    f"stored size, {what}, {level}, to the tar", told["stored_bytes"] / tar_bytes, most, "times zstd -19"
                )
                answer.at_most(f"stored size, {what}, {level}, to the bodies alone", ratio, most, "times zstd -19")
            answer.at_most(f"page and frame at p99, {what}, {level}", p99, 64 * KIB, "B")
    rivals = {
        "zip -r": "zip -q -r {out} .",
        "mksquashfs zstd -19, 128 KiB": "mksquashfs . {out} -comp zstd -Xcompression-level 19 -quiet -no-progress -no-xattrs",
        "mksquashfs zstd -19, 1 MiB": "mksquashfs . {out} -comp zstd -Xcompression-level 19 -b 1M -quiet -no-progress -no-xattrs",
    }
    for number_, (name, command) in enumerate(rivals.items()):
        path = out / f"rival-{number_}.zip"
        bench.run("sh", "-c", command.format(out=path), folder=made.folder)
        length = path.stat().st_size
        table.add(name, f"{length:,}", "-", "-", f"{length / body_bytes:.3f}", f"{length / tar_bytes:.3f}", "-", "-", "-")
    return table


def _fetched(bench: Bench, made: Objects, archive: Path) -> list[int]:
    """Bytes of page and frame for some members, sorted."""
    step = max(1, made.count // LOOKED_AT)
    wanted = archive.with_name(archive.name + ".names")
    wanted.write_text(json.dumps({key: (made.folder / key).stat().st_size for key in made.keys[::step]}))
    index = archive.with_name(archive.name + ".bindery")
    steps = json.loads(bench.child("look", f"file://{index}", f"file://{archive}", wanted).stdout)["steps"]
    return sorted(find[2] + read[2] for find, read in zip(steps["find"], steps["read"], strict=True))
