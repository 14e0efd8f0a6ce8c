"""Contexts: what the decoding of some frames begins with. They lie in the index file, each a block, before the first page.

A frame of `Codec.DEFLATE_AT` is entered in the middle of a deflate stream, and needs the bytes that were decoded before (at most
32 KiB). Because contexts follow the header at once, their place in the file is known as soon as they are, long before the pages.
"""

from __future__ import annotations

import zstandard

from indexer.errors import IndexDamaged
from indexer.indexfile.block import Block, BlockKind, encode_block, tag_of
from indexer.indexfile.columns import Column
from indexer.limits import CONTEXT_BYTES
from indexer.model import Identity, Span


def encode_context(context: bytes, tag: int, compressor: zstandard.ZstdCompressor) -> bytes:
    """Write a context as a block.

    Args:
        context: At most `CONTEXT_BYTES`.
        tag: Which index it belongs to (`block.tag_of`).
        compressor: From `block.new_compressor`.
    """
    if len(context) > CONTEXT_BYTES:
        raise ValueError(f"a context of {len(context)} bytes, the limit is {CONTEXT_BYTES}")
    return encode_block(BlockKind.CONTEXT, tag, {Column.CONTEXT: context}, compressor)


def decode_context(data: bytes, archive: Identity, index: Identity, place: Span) -> bytes:
    """Read what `encode_context` wrote.

    Args:
        data: The bytes of the block, exactly.
        archive: What the index describes.
        index: The index, for errors.
        place: Where in it the block lies, for errors.

    Raises:
        IndexDamaged: It is no sound context of this index.
        IndexUnsupported: It was written by a later program.
    """
    tag = tag_of(archive.etag, archive.size)
    block = Block(data, BlockKind.CONTEXT, tag, index=index.url, section=f"context at {place.start}")
    context = block[Column.CONTEXT]
    if len(context) > CONTEXT_BYTES:
        raise block.damaged(f"a context of {len(context)} bytes")
    return context


def check_place(index: Identity, place: Span) -> None:
    """Make sure that a context lies in the index, and is not longer than one can be, before it is fetched.

    Raises:
        IndexDamaged: It is told to lie elsewhere.
    """
    if not 0 < place.start < place.stop <= index.size or place.length > 2 * CONTEXT_BYTES:
        raise IndexDamaged(
            "the index is damaged: a frame's context lies outside of it",
            hint="Build it anew with `bindery index`.",
            index=index.url,
            section=f"context at {place.start}",
        )
