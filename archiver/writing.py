"""Which writer makes which format, and what of an object each format can keep."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Final, NamedTuple

from archiver.settings import Format, PackSettings
from archiver.writers.squashfs import SquashfsWriter
from archiver.writers.tar_zst import TarZstWriter
from archiver.writers.tgz import TgzWriter
from archiver.writers.zip import ZipWriter

if TYPE_CHECKING:
    from archiver.writers import Data, Writer


class Keeps(NamedTuple):
    """What a format keeps of an object beside its name, its bytes and its time.

    Attributes:
        etag: Its ETag; else the members are served with one that is made of the archive's.
        attributes: Content-Type, user metadata and the like.
        any_name: Every key that a member may have; else only those that are paths of files beside each other.
    """

    etag: bool = True
    attributes: bool = True
    any_name: bool = True


KEEPS: Final = {
    Format.TAR_ZST: Keeps(),
    Format.ZIP: Keeps(),
    Format.TGZ: Keeps(),
    Format.SQUASHFS: Keeps(etag=False, attributes=False, any_name=False),
}


class Job(NamedTuple):
    """What a writer is to know of one pack.

    Attributes:
        out: Takes the archive's bytes in order.
        executor: Compresses.
        sources: What the archive is made from.
        newest_s: The latest time of its members.
        most_bytes: Raw bytes on their way at most.
    """

    out: Callable[[Data], object]
    executor: Executor
    sources: str
    newest_s: int
    most_bytes: int


def new_writer(settings: PackSettings, job: Job) -> Writer:
    """The writer that the settings name.

    Raises:
        ToolMissing: It needs a program that is not installed.
    """
    match settings.format:
        case Format.ZIP:
            return ZipWriter(
                job.out,
                job.executor,
                level=settings.level,
                method=settings.method,
                sources=job.sources,
                scratch=settings.scratch,
                most_bytes=job.most_bytes,
            )
        case Format.SQUASHFS:
            return SquashfsWriter(
                job.out,
                level=settings.level,
                sources=job.sources,
                newest_s=job.newest_s,
                scratch=settings.scratch,
                threads=settings.threads,
                memory_bytes=2 * job.most_bytes,  # what others take to compress and to upload
                env=settings.env,
            )
        case Format.TGZ:
            return TgzWriter(job.out, job.executor, level=settings.level, sources=job.sources, most_bytes=job.most_bytes)
        case Format.TAR_ZST:
            return TarZstWriter(job.out, job.executor, level=settings.level, sources=job.sources, most_bytes=job.most_bytes)
