"""Every bound the floor keeps, with its unit and its reason.

A count or a length that comes out of a file is compared with one of these before memory is taken for it.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

NAME_BYTES: Final = 1024
"""Longest member name in UTF-8 bytes: the longest key S3 takes."""

OBJECT_BYTES: Final = 2**63 - 1
"""Largest size or offset believed: what a signed 64-bit file offset holds."""

MTIME_S_LEAST: Final = -62_135_596_800
MTIME_S_MOST: Final = 253_402_300_799
"""Years 1 to 9999: what an HTTP date can tell. An archive's time outside of them is told as the nearest in them."""

ATTRIBUTES_BYTES: Final = 16 * KIB
"""Longest encoded attributes of one member: S3 allows 2 KB of user metadata and 8 KB of headers in all."""

ETAG_BYTES: Final = 256
"""Longest ETag that an archive may tell: S3's own have 32 hex digits, a dash and up to five digits."""

# --- the index file -------------------------------------------------------------------------------------------------

TAIL_BYTES: Final = 128 * KIB
"""First read of an index: below it S3 answers in the time of its first byte, and it holds the directory of 10^7 members."""

PAGE_STORED_BYTES: Final = 20 * KIB
"""A page of the index is filled to about this: page and frame together stay under 64 KiB beyond the member."""

PAGE_MEMBERS: Final = 1024
"""Most members in one page, so that a lookup decodes at most this many names (about 0.2 ms)."""

PAGE_EXTENTS: Final = 8192
"""A page is closed before a member whose extents would take it beyond this; a larger member has a page of its own."""

MEMBER_EXTENTS: Final = 2**20
"""Most extents of one member, and so of one page: a member of 1 TiB in frames of 1 MiB. Reading it takes up to 480 MB."""

BLOCK_STORED_BYTES: Final = 64 * MIB
"""Largest block a reader will fetch: a page with the most extents takes about 4 MiB, a root with the most children 30 MiB."""

BLOCK_RAW_BYTES: Final = 64 * MIB
"""Longest columns of one block in all, checked before any is decompressed: `MEMBER_EXTENTS` with 64 bytes each."""

DIRECTORY_PAGES: Final = 512
"""Pages told by one directory block: the unit of the third level, so that beyond the first read one more read finds any page."""

DIRECTORY_CHILDREN: Final = 2**16
"""Most rows of a root or directory block: pages for 3 * 10^10 members. Their keys take at most 64 MiB."""

FACTS_BYTES: Final = 64 * KIB
"""Longest facts of an archive: what is told of it as a whole, in JSON."""

CONTEXT_BYTES: Final = 32 * KIB
"""Longest context of a frame: the window of deflate (RFC 1951 2)."""

# --- the catalog ----------------------------------------------------------------------------------------------------

CATALOG_TAIL_BYTES: Final = 2 * MIB
"""First read of a catalog: it holds all of one of 10,000 archives, and takes S3 some 20 ms longer than its first byte."""

CATALOG_ARCHIVES: Final = 2**20
"""Most archives in one catalog: its writers hold all of them in memory, about 1 KiB each."""

SHELF_ARCHIVES: Final = 128
"""Most archives in one shelf of a catalog, so that a look-up decodes at most so many (about 1 ms)."""

SHELF_PAGES: Final = 4096
"""A shelf is closed before an archive whose pages would take it beyond this; an archive with more has a shelf of its own."""

SHELF_FILTER_BYTES: Final = 256 * KIB
"""Likewise for the bytes of its filters."""

ARCHIVE_PAGES: Final = 2**14
"""Most pages of one archive that a catalog tells (about 9 million members, 150 KiB); the index of a larger one is opened itself."""

FILTER_MEMBERS: Final = 2**16
"""Most keys that an archive's filter is made of (96 KiB); an archive that shares more with older ones is asked itself."""

CATALOG_URL_BYTES: Final = 4096
"""Longest URL in a catalog: a bucket's name and a key, or a path (PATH_MAX)."""

COMMITS_TOLD: Final = 64
"""Earlier commits that a catalog names, so that a writer whose answer was lost finds its own among those that followed."""

SIDE_BY_SIDE: Final = 16
"""Most archives that are asked for one name at once, where no filter decides."""

WINDOW_PAGES: Final = 256
"""Most pages of a listing's window over many archives: requests that go out side by side, and 256,000 members at most."""

# --- frames ---------------------------------------------------------------------------------------------------------

FRAME_STORED_BYTES: Final = 32 * KIB
"""A frame we write is filled until it is about this long compressed: what it costs to fetch, not what it holds."""

FRAME_STORED_BYTES_MOST: Final = 40 * KIB
"""A frame of several members that came out longer than this is cut in two, because the estimate was wrong."""

FRAME_RAW_BYTES: Final = 1 * MIB
"""Most decoded bytes in a frame we write: inflating them costs about 0.85 ms."""

DECODED_FRAME_BYTES: Final = 64 * MIB
"""Largest frame decoded into memory whole; a larger one is decoded as a stream, piece by piece."""

DECODE_PIECE_BYTES: Final = 1 * MIB
"""Longest piece a streaming decoder hands out at once, whatever the stored bytes promise."""

DECODE_WINDOW_BYTES: Final = 128 * MIB
"""Largest window or dictionary a decoder may take: what `zstd` and `xz -9` accept and use without being asked for more."""

WHOLE_FRAME_BYTES: Final = 4 * MIB
"""Largest frame, stored or decoded, that is fetched and decoded in one go when a member is read; a larger one in pieces."""

ZERO_PIECE_BYTES: Final = 256 * KIB
"""Zeros of a sparse member are handed out in pieces of this length."""

ZIP_LOCAL_SLACK_BYTES: Final = 64
"""Bytes read beyond what the central directory says of a local header, because its extra field may be longer (APPNOTE 4.3.7)."""

# --- scanning -------------------------------------------------------------------------------------------------------

TAR_RECORDS_BYTES: Final = 1 * MIB
"""Longest pax header or GNU long name believed: GNU tar itself writes none beyond a few KiB, save for maps of sparse files."""

SPARSE_RUNS: Final = 2**18
"""Most runs of one sparse file in a tar: a map of 5 MiB."""

LINK_TARGETS: Final = 2**15
"""Members of a tar kept at hand as targets of its links (about 20 MiB); beyond them, one with links is read twice."""

LINKS: Final = 2**17
"""Links of one tar that wait for their target at most (about 50 MiB); those beyond are listed as unreadable."""

LINK_HOPS: Final = 40
"""Longest chain of symbolic links: what Linux follows (path_resolution(7))."""

LINK_STEPS: Final = 2**24
"""Path segments walked to follow all symbolic links of a tar (about 10 s): links made to lead through one another cost the most."""

LINK_PATH_BYTES: Final = 4096
"""Longest target of a symbolic link: PATH_MAX."""

FRAME_MEMBERS: Final = 2**16
"""Members held until the frame they begin in ends (about 30 MiB); a frame with more is measured first, by decoding it twice."""

FRAMES_HELD: Final = 2**16
"""Frames of one member that may be of any length; if it crosses more, they must hold `FRAME_RAW_BYTES_HELD` each on average, or an
archive of tiny frames would take 20 times its own length in memory."""

FRAME_RAW_BYTES_HELD: Final = 1 * KIB

CHECKPOINT_STORED_BYTES: Final = 1 * MIB
"""Most stored bytes between two checkpoints of a gzip stream, as far as its blocks allow: what a small member costs at most."""

CHECKPOINT_RAW_BYTES: Final = 4 * MIB
"""Most decoded bytes between two checkpoints, as far as blocks allow: no more than is decoded at once (`WHOLE_FRAME_BYTES`)."""

CHECKPOINT_STEP_BYTES: Final = 512 * KIB
"""Decoded bytes between the places that checkpoints are chosen from; blocks are 16 to 300 KiB long, whoever made them."""

GZIP_STRETCH_STORED_BYTES: Final = 8 * MIB
GZIP_STRETCH_RAW_BYTES: Final = 32 * MIB
"""A gzip stream is searched for checkpoints in stretches that end at the first of these: so many bytes are held, and 2 MiB of
windows. Where no block begins in a whole stretch, the member cannot be entered behind it."""

GZIP_MEMBERS_WAITING: Final = 2**17
"""Members held until it is known where the stream can be entered behind them (about 60 MiB): more than a stretch holds, unless its
blocks are longer than any tool makes them."""

SEEK_TABLE_BYTES: Final = 16 * MIB
"""Longest seek table that is compared with the frames: two million of them. It tells nothing that was not found out before."""

EXPANSION_MOST: Final = 1000
"""Decoded bytes for each stored byte beyond which an archive is taken for a bomb, once it has given `EXPANSION_FREE_BYTES`."""

EXPANSION_FREE_BYTES: Final = 64 * GIB
"""Decoded bytes that an archive may give whatever its length: sparse disk images are nearly nothing but zeros."""

SQUASHFS_BLOCKS_KEPT: Final = 512
"""Metadata blocks of a squashfs kept decoded while it is scanned: 4 MiB."""

SQUASHFS_METADATA_BYTES: Final = 1 * GIB
"""Longest tables of a squashfs that are read into memory, compressed: about 80 million members at 13 bytes each."""

SQUASHFS_EXTENTS: Final = 2**28
"""Extents told of one squashfs in all: an image whose every name is a hard link to one huge file ends here."""

# --- requests -------------------------------------------------------------------------------------------------------

REQUEST_BYTES: Final = 8 * MIB
"""Longest ranged read we send for one answer: long enough to hide the first byte, short enough to retry and to buffer."""

COALESCE_GAP_BYTES: Final = 16 * KIB
"""Two wanted spans closer than this are fetched with one request: the gap costs less than a request."""
