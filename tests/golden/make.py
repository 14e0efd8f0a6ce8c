# ruff: noqa: INP001 - a script, not a package
"""Makes the golden archives anew, with the tools named in each archive's name, and what stock tools extract from them.

Run from the project's folder: `.venv/bin/python tests/golden/make.py [NAME ...]`. Writes the archives, `expected.json` (what each
archive holds according to the tool that extracted it: size, CRC-32 and modification time of every file) and `PROVENANCE.md`.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
WHEN = 1_750_000_000
"""Modification time of the first file; each next one is 86,402 seconds later (even, because DOS times are)."""

PASSWORD = "correct horse"


def run(*command: str | Path, cwd: Path, stdin: bytes | None = None) -> bytes:
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, input=stdin, env=environment, check=True, timeout=120, capture_output=True
    )
    return done.stdout


def log_lines(count: int) -> bytes:
    chance = random.Random(7)
    levels = ("INFO", "INFO", "INFO", "WARN", "ERROR")
    return b"".join(
        b'{"at":"2026-11-20T08:%02d:%02d","level":"%s","took_ms":%d,"path":"/v1/items/%x"}\n'
        % (line // 60 % 60, line % 60, chance.choice(levels).encode(), chance.randrange(900), chance.randrange(1 << 32))
        for line in range(count)
    )


def tree(folder: Path) -> None:
    """The files that most archives hold."""
    files = {
        "plain.txt": b"a line of text\n",
        "empty": b"",
        "logs/2026/11/app.log": log_lines(150),
        "logs/2026/11/other.log": log_lines(40),
        "logs/zeros.bin": bytes(20_000),
        "logs/random.bin": random.Random(5).randbytes(3000),
        "with space & sign+.txt": b"x" * 511,
        "block.bin": b"y" * 512,
        "block-and-one.bin": b"z" * 513,
    }
    write(folder, files)
    (folder / "empty-folder").mkdir()


def unicode_tree(folder: Path) -> None:
    """Names beyond ASCII, and names that do not fit the first tar header."""
    write(
        folder,
        {
            "Grüße/ñandú.txt": b"hello\n",
            "日本語/ログ.txt": b"logs\n",
            "plain.txt": b"plain\n",
            "n" * 120: b"long name\n",
            "/".join(["folder-" + "d" * 20] * 8) + "/" + "f" * 30: b"long path\n",
            "/".join(["deep-" + "e" * 90] * 6) + "/file": b"very long path\n",
        },
    )


def short_unicode_tree(folder: Path) -> None:
    write(folder, {"Grüße/ñandú.txt": b"hello\n", "日本語/ログ.txt": b"logs\n", "plain.txt": b"plain\n"})


def link_tree(folder: Path) -> None:
    """Hard and symbolic links, those that lead nowhere too."""
    write(folder, {"data/file.txt": b"the linked bytes\n", "data/deep/other.txt": b"others\n", "data/empty": b""})
    os.link(folder / "data/file.txt", folder / "hard.txt")
    os.link(folder / "data/file.txt", folder / "zz-hard.txt")
    os.link(folder / "data/empty", folder / "zz-hard-empty")
    for name, target in {
        "soft.txt": "data/file.txt",
        "data/deep/up.txt": "../file.txt",
        "chain.txt": "soft.txt",
        "through-folder.txt": "folder/other.txt",
        "folder": "data/deep",
        "dangling": "data/nothing",
        "outside": "../../etc/passwd",
        "loop-a": "loop-b",
        "loop-b": "loop-a",
        "self": "self",
    }.items():
        (folder / name).symlink_to(target)


def sparse_tree(folder: Path) -> None:
    """Files with holes: at the start, in many places, at the end, nothing else, none."""
    write(folder, {"dense.bin": random.Random(3).randbytes(5000)})
    chance = random.Random(4)
    for name, size, runs in (
        ("hole-first.bin", 300_000, [(262_144, 4096)]),
        ("hole-last.bin", 1_000_000, [(0, 4096)]),
        ("many.bin", 65_536 * 40, [(65_536 * n, 4096) for n in range(0, 40, 1)]),
        ("all-hole.bin", 500_000, []),
        ("odd.bin", 123_457, [(65_536, 5000), (118_784, 4673)]),
    ):
        with (folder / name).open("wb") as out:
            out.truncate(size)
            for offset, length in runs:
                out.seek(offset)
                out.write(bytes([chance.randrange(1, 255)]) * length)
        os.utime(folder / name, (WHEN, WHEN))


def long_tree(folder: Path) -> None:
    """Files that are long once they are decoded and short as they are stored: a gzip stream of them is entered at checkpoints."""
    chance = random.Random(11)
    paths = [b"/v1/items/%d" % number for number in range(8)]

    def lines(count: int) -> bytes:
        return b"".join(
            b'{"at":"2026-11-20T08:%02d:00","path":"%s","status":200}\n' % (line // 900 % 60, chance.choice(paths)) * 8
            for line in range(count // 8)
        )

    files = {f"logs/{name}.log": lines(count) for name, count in (("api", 60_000), ("web", 50_000), ("tiny", 16), ("db", 30_000))}
    write(folder, {**files, "zeros.bin": bytes(6_000_000), "last.bin": chance.randbytes(2000)})


def write(folder: Path, files: dict[str, bytes]) -> None:
    for place, (name, data) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        when = WHEN + 86_402 * place
        os.utime(path, (when, when))


@dataclass(frozen=True)
class Golden:
    """One archive: what is in it, the command that makes it (`{}` is the archive), what is odd about it."""

    name: str
    fill: Callable[[Path], None]
    command: tuple[str, ...] | Callable[[Path, Path], None]
    extract: str = "bsdtar -xf {}"
    unreadable: bool = False
    note: str = ""

    def make(self) -> dict[str, object]:
        target = HERE / self.name
        target.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            source, extracted = Path(scratch, "tree"), Path(scratch, "extracted")
            source.mkdir()
            extracted.mkdir()
            self.fill(source)
            if callable(self.command):
                self.command(source, target)
            else:
                for command in self.command:
                    run("bash", "-c", "set -o pipefail; " + command.replace("{}", str(target)), cwd=source)
            if self.unreadable:
                return {}
            run("bash", "-c", self.extract.replace("{}", str(target)), cwd=extracted)
            return told(extracted)


def told(folder: Path) -> dict[str, object]:
    """What a tool extracted: files, and links that lead to files inside."""
    found: dict[str, object] = {}
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            try:
                inside = path.resolve(strict=True).is_relative_to(root)
            except (OSError, RuntimeError):
                inside = False
            if not inside:
                found[name] = None
                continue
        if stat.S_ISREG(path.stat().st_mode):
            data = path.read_bytes()
            found[name] = [len(data), zlib.crc32(data), int(path.stat().st_mtime)]
    return found


def python_zip(method: int, **options: bool) -> Callable[[Path, Path], None]:
    def make(source: Path, target: Path) -> None:
        out: io.IOBase = io.BytesIO()
        plain = out
        if options.get("streamed"):
            out = Unseekable(out)
        with zipfile.ZipFile(out, "w", method) as archive:
            for path in sorted(source.rglob("*")):
                info = zipfile.ZipInfo.from_file(path, str(path.relative_to(source)))
                info.compress_type = method
                if path.is_dir():
                    archive.writestr(info, b"")
                else:
                    with archive.open(info, "w", force_zip64=options.get("zip64", False)) as member:
                        member.write(path.read_bytes())
        target.write_bytes(plain.getvalue())  # type: ignore[attr-defined]

    return make


class Unseekable(io.RawIOBase):
    """What zipfile writes with data descriptors."""

    def __init__(self, out: io.IOBase) -> None:
        self.out = out

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        written: int = self.out.write(data)
        return written

    def seekable(self) -> bool:
        return False


def python_tar(kind: int, mode: Literal["w", "w:gz"] = "w") -> Callable[[Path, Path], None]:
    def make(source: Path, target: Path) -> None:
        with tarfile.open(target, mode, format=kind) as archive:
            for path in sorted(source.rglob("*")):
                archive.add(path, str(path.relative_to(source)), recursive=False)

    return make


ZIP_UNPACK = "7zz x -y {} >/dev/null"
UNZIP = "unzip -q {} || test $? = 1"
"""Where 7-Zip takes a warning for an error."""

ALL = "*"
"""Top-level names, so that members are not called `./name`."""
TAR = "tar --owner=0 --group=0 --sort=name"
ENCRYPTED = f"7zz x -y '-p{PASSWORD}' {{}} >/dev/null"

LOG = "logs/2026/11/app.log"
"""What the single files hold. Its name and time stand in the header that `gzip` writes."""

SQUASH = "mksquashfs . {} -quiet -no-progress -noappend -all-root"
UNSQUASH = "unsquashfs -q -n -f -d . {}"

ARCHIVES = [
    Golden("infozip_3.0_store.zip", tree, ("zip -q -r -0 {} .",), ZIP_UNPACK),
    Golden("infozip_3.0_deflate.zip", tree, ("zip -q -r -9 {} .",), ZIP_UNPACK),
    Golden("infozip_3.0_bzip2.zip", tree, ("zip -q -r -Z bzip2 {} .",), ZIP_UNPACK),
    Golden("infozip_3.0_zip64.zip", tree, ("zip -q -r -fz {} .",), ZIP_UNPACK, note="zip64 fields forced"),
    Golden("infozip_3.0_streamed.zip", tree, ("zip -q -r - . | cat > {}",), ZIP_UNPACK, note="data descriptors"),
    Golden("infozip_3.0_no-extra.zip", tree, ("zip -q -r -X {} .",), ZIP_UNPACK, note="DOS times only"),
    Golden("infozip_3.0_unicode.zip", unicode_tree, ("zip -q -r {} .",), ZIP_UNPACK),
    Golden(
        "infozip_3.0_comment.zip",
        tree,
        ("zip -q -r {} .", "head -c 65535 /dev/zero | tr '\\0' 'P' | zip -q -z {}"),
        ZIP_UNPACK,
        note="the longest comment",
    ),
    Golden("infozip_3.0_prefix.zip", tree, ("zip -q -r ../t.zip . && (printf '#!/bin/sh\\nexit\\n'; cat ../t.zip) > {}",), UNZIP),
    Golden(
        "infozip_3.0_prefix-adjusted.zip",
        tree,
        ("zip -q -r ../t.zip . && (printf '#!/bin/sh\\nexit\\n'; cat ../t.zip) > {} && zip -q -A {}",),
        ZIP_UNPACK,
        note="offsets count from the file's first byte",
    ),
    Golden("infozip_3.0_encrypted.zip", tree, (f"zip -q -r -P '{PASSWORD}' {{}} .",), unreadable=True),
    Golden("infozip_3.0_links.zip", link_tree, ("zip -q -r -y {} .",), unreadable=True, note="symbolic links stored as links"),
    Golden(
        "infozip_3.0_split.zip",
        tree,
        ("head -c 100000 /dev/zero > big && zip -q -0 -r -s 64k ../s.zip . && cp ../s.zip {}",),
        unreadable=True,
        note="the last part",
    ),
    Golden("7zip_26.02_deflate.zip", tree, ("7zz a -tzip {} . >/dev/null",), ZIP_UNPACK),
    Golden("7zip_26.02_deflate64.zip", tree, ("7zz a -tzip -mm=deflate64 {} . >/dev/null",), ZIP_UNPACK),
    Golden("7zip_26.02_bzip2.zip", tree, ("7zz a -tzip -mm=bzip2 {} . >/dev/null",), ZIP_UNPACK),
    Golden("7zip_26.02_lzma.zip", tree, ("7zz a -tzip -mm=lzma {} . >/dev/null",), ZIP_UNPACK),
    Golden("7zip_26.02_xz.zip", tree, ("7zz a -tzip -mm=xz {} . >/dev/null",), ZIP_UNPACK),
    Golden("7zip_26.02_ppmd.zip", tree, ("7zz a -tzip -mm=ppmd {} . >/dev/null",), unreadable=True),
    Golden("7zip_26.02_aes.zip", tree, (f"7zz a -tzip -mem=AES256 '-p{PASSWORD}' {{}} . >/dev/null",), unreadable=True),
    Golden("7zip_26.02_ntfs-times.zip", tree, ("7zz a -tzip -mtm=on -mtp=0 {} . >/dev/null",), ZIP_UNPACK),
    Golden("7zip_26.02_unicode.zip", unicode_tree, ("7zz a -tzip {} . >/dev/null",), ZIP_UNPACK),
    Golden("bsdtar_3.6.2_deflate.zip", tree, ("bsdtar --format zip -cf {} " + ALL,), ZIP_UNPACK),
    Golden("bsdtar_3.6.2_streamed.zip", tree, ("bsdtar --format zip -cf - " + ALL + " | cat > {}",), ZIP_UNPACK),
    Golden("bsdtar_3.6.2_store.zip", tree, ("bsdtar --format zip --options zip:compression=store -cf {} " + ALL,), ZIP_UNPACK),
    Golden("python_3.11_store.zip", tree, python_zip(zipfile.ZIP_STORED), ZIP_UNPACK),
    Golden("python_3.11_deflate.zip", tree, python_zip(zipfile.ZIP_DEFLATED), ZIP_UNPACK),
    Golden("python_3.11_lzma.zip", tree, python_zip(zipfile.ZIP_LZMA), ZIP_UNPACK),
    Golden("python_3.11_bzip2.zip", tree, python_zip(zipfile.ZIP_BZIP2), ZIP_UNPACK),
    Golden("python_3.11_zip64.zip", tree, python_zip(zipfile.ZIP_DEFLATED, zip64=True), ZIP_UNPACK),
    Golden("python_3.11_streamed.zip", tree, python_zip(zipfile.ZIP_DEFLATED, streamed=True), ZIP_UNPACK),
    Golden("jar_17_deflate.zip", tree, ("jar --create --file {} .",), ZIP_UNPACK),
    Golden("gnutar_1.34_v7.tar", tree, (TAR + " --format=v7 -cf {} " + ALL,)),
    Golden("gnutar_1.34_ustar.tar", tree, (TAR + " --format=ustar -cf {} " + ALL,)),
    Golden("gnutar_1.34_oldgnu.tar", unicode_tree, (TAR + " --format=oldgnu -cf {} " + ALL,)),
    Golden("gnutar_1.34_gnu.tar", unicode_tree, (TAR + " --format=gnu -cf {} " + ALL,), note="GNU long names"),
    Golden("gnutar_1.34_pax.tar", unicode_tree, (TAR + " --format=pax -cf {} " + ALL,)),
    Golden("gnutar_1.34_dot.tar", tree, (TAR + " --format=gnu -cf {} .",), note="names begin with ./"),
    Golden("gnutar_1.34_links.tar", link_tree, (TAR + " --format=gnu -cf {} " + ALL,)),
    Golden("gnutar_1.34_links-pax.tar", link_tree, (TAR + " --format=pax -cf {} " + ALL,)),
    Golden("gnutar_1.34_sparse-gnu.tar", sparse_tree, (TAR + " --format=gnu -S -cf {} " + ALL,)),
    Golden("gnutar_1.34_sparse-0.0.tar", sparse_tree, (TAR + " --format=pax --sparse-version=0.0 -S -cf {} " + ALL,)),
    Golden("gnutar_1.34_sparse-0.1.tar", sparse_tree, (TAR + " --format=pax --sparse-version=0.1 -S -cf {} " + ALL,)),
    Golden("gnutar_1.34_sparse-1.0.tar", sparse_tree, (TAR + " --format=pax --sparse-version=1.0 -S -cf {} " + ALL,)),
    Golden(
        "gnutar_1.34_base256.tar",
        short_unicode_tree,
        ("touch -d '1960-01-01' plain.txt && touch -d '2500-01-01' 日本語/ログ.txt && " + TAR + " --format=gnu -cf {} " + ALL,),
        note="times that octal digits cannot write",
    ),
    Golden(
        "gnutar_1.34_concatenated.tar",
        tree,
        (TAR + " -cf ../1.tar logs && " + TAR + " -cf ../2.tar plain.txt empty && cat ../1.tar ../2.tar > {}",),
        "tar -xif {}",
    ),
    Golden(
        "gnutar_1.34_appended.tar",
        tree,
        (TAR + " -cf {} plain.txt empty && echo newer > plain.txt && touch -d @1800000000 plain.txt && tar -rf {} plain.txt",),
        note="a name twice: the later one counts",
    ),
    Golden("bsdtar_3.6.2_ustar.tar", tree, ("bsdtar --format ustar -cf {} " + ALL,)),
    Golden("bsdtar_3.6.2_pax.tar", unicode_tree, ("bsdtar --format pax -cf {} " + ALL,)),
    Golden("bsdtar_3.6.2_gnutar.tar", unicode_tree, ("bsdtar --format gnutar -cf {} " + ALL,)),
    Golden("bsdtar_3.6.2_v7.tar", tree, ("bsdtar --format v7tar -cf {} " + ALL,)),
    Golden("bsdtar_3.6.2_sparse.tar", sparse_tree, ("bsdtar --format pax --read-sparse -cf {} " + ALL,)),
    Golden("bsdtar_3.6.2_links.tar", link_tree, ("bsdtar --format pax -cf {} " + ALL,)),
    Golden("python_3.11_ustar.tar", tree, python_tar(tarfile.USTAR_FORMAT)),
    Golden("python_3.11_gnu.tar", unicode_tree, python_tar(tarfile.GNU_FORMAT)),
    Golden("python_3.11_pax.tar", unicode_tree, python_tar(tarfile.PAX_FORMAT)),
    Golden("python_3.11_links.tar", link_tree, python_tar(tarfile.PAX_FORMAT)),
    Golden("zstd_1.5.4_one-frame.tar.zst", tree, (TAR + " -cf ../t.tar " + ALL + " && zstd -q ../t.tar -o {}",)),
    Golden("zstd_1.5.4_piped.tar.zst", tree, (TAR + " -cf - " + ALL + " | zstd -q -c > {}",), note="content size not told"),
    Golden("zstd_1.5.4_no-check.tar.zst", tree, (TAR + " -cf - " + ALL + " | zstd -q --no-check -c > {}",)),
    Golden("zstd_1.5.4_rsyncable.tar.zst", tree, (TAR + " -cf - " + ALL + " | zstd -q --rsyncable -T2 -c > {}",)),
    Golden("zstd_1.5.4_long.tar.zst", tree, (TAR + " -cf - " + ALL + " | zstd -q --long=27 -19 -c > {}",)),
    Golden(
        "zstd_1.5.4_concatenated.tar.zst",
        tree,
        (TAR + " -cf ../t.tar " + ALL + " && split -b 7000 ../t.tar ../p. && (for p in ../p.*; do zstd -q -c $p; done) > {}",),
        note="many frames, cut anywhere",
    ),
    Golden(
        "zstd_1.5.4_wide-window.tar.zst", tree, (TAR + " -cf - " + ALL + " | zstd -q --ultra --long=31 -c > {}",), unreadable=True
    ),
    Golden(
        "pzstd_1.5.4_frames.tar.zst",
        tree,
        (
            TAR
            + " -cf ../t.tar "
            + ALL
            + " && for n in 1 2 3 4 5 6 7 8; do cat ../t.tar; done > /dev/null && pzstd -q -p 4 ../t.tar -o {}",
        ),
        note="skippable frames between",
    ),
    Golden("bsdtar_3.6.2_zstd.tar.zst", unicode_tree, ("bsdtar --zstd -cf {} " + ALL,)),
    Golden("gnutar_1.34_sparse.tar.zst", sparse_tree, (TAR + " --format=gnu -S --zstd -cf {} " + ALL,)),
    Golden("gnutar_1.34_links.tar.zst", link_tree, (TAR + " --format=pax --zstd -cf {} " + ALL,)),
    Golden("gnutar_1.34_gzip.tar.gz", tree, (TAR + " -czf {} " + ALL,)),
    Golden("gnutar_1.34_links.tgz", link_tree, (TAR + " --format=pax -czf {} " + ALL,)),
    Golden("gnutar_1.34_sparse.tar.gz", sparse_tree, (TAR + " --format=gnu -S -czf {} " + ALL,)),
    Golden("gnutar_1.34_long.tar.gz", long_tree, (TAR + " -czf {} " + ALL,), note="checkpoints"),
    Golden("bsdtar_3.6.2_gzip.tar.gz", unicode_tree, ("bsdtar -czf {} " + ALL,)),
    Golden("gzip_1.12_fast.tar.gz", tree, (TAR + " -cf - " + ALL + " | gzip -1 > {}",)),
    Golden("gzip_1.12_best.tar.gz", long_tree, (TAR + " -cf - " + ALL + " | gzip -9 > {}",), note="checkpoints"),
    Golden("gzip_1.12_rsyncable.tar.gz", long_tree, (TAR + " -cf - " + ALL + " | gzip --rsyncable > {}",), note="checkpoints"),
    Golden(
        "gzip_1.12_members.tgz",
        tree,
        (TAR + " -cf ../t.tar " + ALL + " && split -b 7000 ../t.tar ../p. && (for p in ../p.*; do gzip -c $p; done) > {}",),
        note="many gzip members, cut anywhere",
    ),
    Golden(
        "gzip_1.12_padded.tgz",
        tree,
        (TAR + " -cf - " + ALL + " | gzip > {}", "head -c 5000 /dev/zero >> {}"),
        note="zeros behind the last member, as tapes have them",
    ),
    Golden("pigz_2.6_plain.tar.gz", long_tree, (TAR + " -cf - " + ALL + " | pigz -p 2 > {}",), note="checkpoints"),
    Golden("pigz_2.6_independent.tar.gz", long_tree, (TAR + " -cf - " + ALL + " | pigz -p 2 -i > {}",), note="without windows"),
    Golden("bgzip_1.16_blocks.tar.gz", long_tree, (TAR + " -cf - " + ALL + " | bgzip -c > {}",), note="small gzip members"),
    Golden("7zip_26.02_ultra.tar.gz", long_tree, (TAR + " -cf - " + ALL + " | 7zz a -si -tgzip -mx=9 {} >/dev/null",)),
    Golden("python_3.11_gzip.tar.gz", long_tree, python_tar(tarfile.GNU_FORMAT, "w:gz"), note="checkpoints"),
    *[
        Golden(name, tree, (f"{command} {LOG} > {{}}",), f"{command} -d {{}} > archive && touch -d @{when} archive", note=note)
        for name, command, when, note in (
            ("gzip_1.12_log.gz", "gzip -c", WHEN + 2 * 86_402, "the time of the header"),
            ("bgzip_1.16_log.gz", "bgzip -c", 0, "no time in the header"),
            ("zstd_1.5.4_log.zst", "zstd -q -c", 0, ""),
            ("bzip2_1.0.8_log.bz2", "bzip2 -c", 0, ""),
            ("xz_5.4.1_log.xz", "xz -c", 0, ""),
        )
    ],
    *[
        Golden(f"{tool}_{case}", tree, (f"({each} {LOG}; {each} logs/random.bin) > {{}}",), unpack, note="two streams")
        for tool, case, each, unpack in (
            ("gzip_1.12", "joined.gz", "gzip -nc", "gzip -dc {} > archive && touch -d @0 archive"),
            ("zstd_1.5.4", "joined.zst", "zstd -qc", "zstd -qdc {} > archive && touch -d @0 archive"),
            ("bzip2_1.0.8", "joined.bz2", "bzip2 -c", "bzip2 -dc {} > archive && touch -d @0 archive"),
            ("xz_5.4.1", "joined.xz", "xz -c", "xz -dc {} > archive && touch -d @0 archive"),
        )
    ],
    *[
        Golden(f"mksquashfs_4.5.1_{compressor}.squashfs", tree, (f"{SQUASH} -comp {compressor}",), extract=UNSQUASH)
        for compressor in ("gzip", "lzma", "lzo", "lz4", "xz", "zstd")
    ],
    Golden(
        "mksquashfs_4.5.1_plain.squashfs", tree, (f"{SQUASH} -noI -noD -noF -noX",), extract=UNSQUASH, note="nothing compressed"
    ),
    Golden("mksquashfs_4.5.1_no-fragments.squashfs", tree, (f"{SQUASH} -no-fragments -b 4096",), extract=UNSQUASH),
    Golden("mksquashfs_4.5.1_all-fragments.squashfs", tree, (f"{SQUASH} -always-use-fragments -b 1M",), extract=UNSQUASH),
    Golden("mksquashfs_4.5.1_unicode.squashfs", unicode_tree, (f"{SQUASH} -comp zstd",), extract=UNSQUASH),
    Golden("mksquashfs_4.5.1_links.squashfs", link_tree, (f"{SQUASH} -comp zstd",), extract=UNSQUASH),
    Golden("mksquashfs_4.5.1_sparse.squashfs", sparse_tree, (f"{SQUASH} -comp zstd -b 4096",), extract=UNSQUASH),
    Golden("gensquashfs_1.2.0_zstd.squashfs", tree, ("gensquashfs -q -k -c zstd -D . {}",), extract=UNSQUASH),
]


def provenance() -> str:
    rows = []
    for golden in ARCHIVES:
        command = (
            "; ".join(golden.command).replace("{}", golden.name).replace("|", "\\|") if isinstance(golden.command, tuple) else ""
        )
        extractor = "not extracted" if golden.unreadable else f"`{golden.extract.split()[0]}`"
        made = f"`{command}`" if command else "the standard library, see `make.py`"
        rows.append(f"| {golden.name} | {golden.fill.__name__} | {made} | {extractor} | {golden.note} |")
    return "\n".join(
        [
            "# Where the golden archives come from",
            "",
            "Made by the tools their names begin with, on Debian 12, by `make.py` beside this page; never by the code they test.",
            "`expected.json` holds what the tool in the fourth column extracted from them.",
            "",
            "| archive | tree | command | extracted by | note |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def main(names: list[str]) -> None:
    tools = "zip 7zz bsdtar tar gzip pigz bgzip bzip2 xz zstd pzstd jar mksquashfs gensquashfs unsquashfs"
    for tool in tools.split():
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: make install-system")
    expected_path = HERE / "expected.json"
    expected = json.loads(expected_path.read_text()) if names and expected_path.exists() else {}
    for golden in ARCHIVES:
        if not names or golden.name in names:
            expected[golden.name] = golden.make()
    lines = (f"{json.dumps(name)}: {json.dumps(expected[name], ensure_ascii=False)}" for name in sorted(expected))
    expected_path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    (HERE / "PROVENANCE.md").write_text(provenance())


if __name__ == "__main__":
    main(sys.argv[1:])
