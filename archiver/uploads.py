"""Publishes objects in buckets: multipart uploads with bounded memory, completed only if the key is still free."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Final

from archiver.buckets import CLIENT_ERRORS, Buckets, client_failure
from archiver.lane import Lane
from archiver.publish import exists
from archiver.scratch import disk_errors
from archiver.writers import Data
from indexer.errors import BinderyError, ObjectMissing, ObjectReplaced, StoreFailed
from indexer.limits import MIB
from indexer.model import Identity
from indexer.urls import split

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

FIRST_PART_BYTES: Final = 8 * MIB
PARTS_OF_A_SIZE: Final = 1000
"""After so many parts their size doubles: 10,000 parts, S3's limit, then hold 8 TiB, more than its largest object."""

MEMORY_PART_BYTES: Final = 32 * MIB
"""A larger part, from 24 GiB on, waits in a scratch file instead of memory."""

UPLOADS: Final = 4
"""Parts sent at once: one connection to S3 takes about 90 MB/s, and compressing does not give much more."""

CONTENT_TYPES: Final = {
    ".zst": "application/zstd",
    ".zip": "application/zip",
    ".tgz": "application/gzip",
    ".gz": "application/gzip",
}


NO_PROPERTIES: Final[Mapping[str, Any]] = MappingProxyType({})


class SentDigest:
    """Counts the ETag that S3 gives to bytes which an `ObjectPublication` sends, unless it encrypts them with a key of KMS."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._part = hashlib.md5(usedforsecurity=False)
        self._left = part_bytes(1)

    def update(self, data: Data) -> None:
        """Count the next bytes."""
        view = memoryview(data)
        while view:
            self._part.update(view[: self._left])
            taken = min(len(view), self._left)
            view = view[taken:]
            self._left -= taken
            if not self._left:
                self._parts.append(self._part.digest())
                self._part = hashlib.md5(usedforsecurity=False)
                self._left = part_bytes(len(self._parts) + 1)

    @property
    def etag(self) -> str:
        """The ETag of all bytes so far."""
        if not self._parts:
            return self._part.hexdigest()
        last = [] if self._left == part_bytes(len(self._parts) + 1) else [self._part.digest()]
        parts = [*self._parts, *last]
        return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"


def part_bytes(number: int) -> int:
    """Length of a part; they are numbered from 1."""
    return FIRST_PART_BYTES << (number - 1) // PARTS_OF_A_SIZE


class ObjectPublication:
    """An object in a bucket; a `Publication`. What is shorter than one part is put with a single request.

    Args:
        url: Where it will be.
        buckets: Reaches the bucket.
        scratch: Folder for large parts.
        replaces: The version that it may take the place of; None when nothing may be there.
        derived: Whether the key was derived from the sources, so that every unfinished upload to it is a dead run of this work.
        most_bytes: Bytes of parts in flight at most.
        properties: More of the object, as PutObject names them (`StorageClass`, `Metadata`).
    """

    def __init__(
        self,
        url: str,
        buckets: Buckets,
        *,
        scratch: Path,
        most_bytes: int,
        replaces: Identity | None = None,
        derived: bool = False,
        properties: Mapping[str, Any] = NO_PROPERTIES,
    ) -> None:
        self._url = url
        self._buckets = buckets
        self._scratch = scratch
        self._replaces = replaces
        self._derived = derived
        self._properties = properties
        _, self._bucket, self._key = split(url)
        self._executor = ThreadPoolExecutor(UPLOADS, thread_name_prefix="bindery-upload")
        self._lane: Lane[CompletedPartTypeDef] = Lane(self._executor, self._sent, most_bytes=most_bytes)
        self._upload: str | None = None
        self._doubled = False
        self._etag = ""
        self._parts: list[CompletedPartTypeDef] = []
        self._digest = hashlib.md5(usedforsecurity=False)
        self._first_md5 = ""
        self._number = 1
        self._part = _Part(scratch, 1)
        self._size = 0

    def write(self, data: Data) -> None:
        """As `Publication.write`."""
        view = memoryview(data)
        while view:
            view = view[self._part.take(view) :]
            if self._part.full:
                self._send()
        self._size += len(data)

    def publish(self) -> Identity:
        """As `Publication.publish`."""
        if self._upload is None:
            if self._derived:
                self._abort_stale()
            self._unbroken(self._put)
        else:
            if self._part.length:
                self._send()
            self._lane.drain()
            self._abort_stale()
            self._unbroken(self._complete)
        made = Identity(self._url, self._etag, self._size)
        self._etag = ""
        self.discard()
        return made

    def discard(self) -> None:
        """As `Publication.discard`."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._part.close()
        upload, self._upload = self._upload, None
        if upload is not None:
            self._abort(upload)
        if self._doubled:
            self._doubled = False
            self._abort_stale()
        etag, self._etag = self._etag, ""
        if etag:  # it appeared, but the caller was interrupted and does not know
            remove_object(self._buckets, Identity(self._url, etag, self._size))

    def _unbroken(self, call: Callable[[], None]) -> None:
        """Make a call whose outcome must be known: when we are interrupted, it is waited for all the same."""
        future = self._executor.submit(call)
        try:
            future.result()
        finally:
            wait([future])

    @property
    def _content_type(self) -> str:
        return CONTENT_TYPES.get(Path(self._key).suffix, "application/octet-stream")

    @property
    def _client(self) -> S3Client:
        return self._buckets.client

    def _send(self) -> None:
        """Begin to upload the part that is full, or the last one."""
        try:
            if self._upload is None:
                self._unbroken(self._begin)
            assert self._upload is not None  # noqa: S101 - _begin left it there
            part, self._part = self._part, _Part(self._scratch, self._number + 1)
            self._lane.submit(part.memory_bytes, self._upload_part, self._upload, self._number, part)
            self._number += 1
        except CLIENT_ERRORS as error:
            raise client_failure(error, self._url) from error

    def _begin(self) -> None:
        # An answer that was lost leaves an upload nobody knows: one without parts, begun with ours.
        self._doubled = True
        answer = self._client.create_multipart_upload(
            Bucket=self._bucket, Key=self._key, ContentType=self._content_type, **self._properties
        )
        self._upload = answer["UploadId"]
        self._doubled = answer["ResponseMetadata"]["RetryAttempts"] > 0

    def _upload_part(self, upload: str, number: int, part: _Part) -> CompletedPartTypeDef:
        try:
            answer = self._client.upload_part(
                Bucket=self._bucket, Key=self._key, UploadId=upload, PartNumber=number, Body=part.body(), ContentLength=part.length
            )
        except CLIENT_ERRORS as error:
            raise client_failure(error, self._url) from error
        finally:
            part.close()
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _sent(self, part: CompletedPartTypeDef) -> None:
        etag = part["ETag"].strip('"')
        if not self._parts:
            self._first_md5 = etag
        self._parts.append(part)
        try:
            self._digest.update(bytes.fromhex(etag))
        except ValueError:
            self._digest.update(etag.encode())  # a store of its own kind: the answer to the last call must do

    def _put(self) -> None:
        body = bytes(self._part.body())
        try:
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=body,
                ContentType=self._content_type,
                **self._condition(),
                **self._properties,
            )
        except CLIENT_ERRORS as error:
            etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
            self._etag = self._there_after_all(client_failure(error, self._url), etag)
        else:
            self._etag = answer["ETag"].strip('"')

    def _complete(self) -> None:
        assert self._upload is not None  # noqa: S101 - publish looked
        try:
            answer = self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload,
                MultipartUpload={"Parts": self._parts},
                **self._condition(),
            )
        except CLIENT_ERRORS as error:
            etag = f"{self._digest.hexdigest()}-{len(self._parts)}"
            self._etag = self._there_after_all(client_failure(error, self._url), etag)
        else:
            # Some stores answer no ETag here (RGW 16); the object tells.
            self._etag = answer.get("ETag", "").strip('"') or self._buckets.head(self._url).etag
        self._upload = None

    def _condition(self) -> dict[str, Any]:
        return {"IfNoneMatch": "*"} if self._replaces is None else {"IfMatch": f'"{self._replaces.etag}"'}

    def _there_after_all(self, error: BinderyError, etag: str) -> str:
        """The ETag of what is at the URL if that is what was just sent: the answer was lost, or a retry met its own first try.

        Raises:
            DestinationExists: It is something else.
            BinderyError: `error`, when that is not the question or nothing is there.
        """
        if not isinstance(error, (ObjectReplaced, ObjectMissing, StoreFailed)):
            raise error
        try:
            there = self._buckets.head(self._url)
        except BinderyError:
            raise error from None
        if (there.etag, there.size) == (etag, self._size):
            return there.etag
        raise exists(self._url) if isinstance(error, ObjectReplaced) else error

    def _abort(self, upload: str) -> None:
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=upload)
        except CLIENT_ERRORS as error:
            told = client_failure(error, self._url)
            if not isinstance(told, ObjectMissing):
                raise told from error

    def _abort_stale(self) -> None:
        """Abort the uploads that killed runs of this very work left at this key: those whose first part is ours too."""
        for upload in stale_uploads(self._buckets, self._url):
            if upload == self._upload:
                continue
            first = "" if self._derived else _first_part(self._buckets, self._url, upload)
            if self._derived or (first and first == self._first_md5) or (first == "" and self._doubled):
                self._abort(upload)


def stale_uploads(buckets: Buckets, url: str) -> list[str]:
    """The unfinished uploads to exactly this key. Costs one request for every thousand that begin with it."""
    _, bucket, key = split(url)
    try:
        pages = buckets.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
        return [upload["UploadId"] for page in pages for upload in page.get("Uploads", ()) if upload["Key"] == key]
    except CLIENT_ERRORS as error:
        raise client_failure(error, url) from error


def abort_uploads(buckets: Buckets, url: str) -> None:
    """Abort all unfinished uploads to exactly this key, which is one that was derived from the sources."""
    _, bucket, key = split(url)
    for upload in stale_uploads(buckets, url):
        try:
            buckets.client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        except CLIENT_ERRORS as error:
            told = client_failure(error, url)
            if not isinstance(told, ObjectMissing):
                raise told from error


def _first_part(buckets: Buckets, url: str, upload: str) -> str | None:
    """The ETag of an upload's first part; empty when it has no parts yet, None when it is no more."""
    _, bucket, key = split(url)
    try:
        parts = buckets.client.list_parts(Bucket=bucket, Key=key, UploadId=upload, MaxParts=1).get("Parts", [])
    except CLIENT_ERRORS:
        return None  # it ended meanwhile
    if not parts:
        return ""
    return parts[0]["ETag"].strip('"') if parts[0]["PartNumber"] == 1 else None


def remove_object(buckets: Buckets, of: Identity) -> None:
    """Remove an object if it is still that version. Costs two requests, because not every store heeds the condition.

    Raises:
        AccessRefused, StoreFailed: It could not be removed.
    """
    _, bucket, key = split(of.url)
    try:
        if buckets.head(of.url).etag == of.etag:
            buckets.client.delete_object(Bucket=bucket, Key=key, IfMatch=f'"{of.etag}"')
    except ObjectMissing:
        return
    except CLIENT_ERRORS as error:
        told = client_failure(error, of.url)
        if not isinstance(told, (ObjectMissing, ObjectReplaced)):
            raise told from error


class _Part:
    """The bytes of one part, in memory or, when it is large, in a file without a name."""

    def __init__(self, scratch: Path, number: int) -> None:
        self._bytes = part_bytes(number)
        self._memory: bytearray | None = bytearray()
        self._file: IO[bytes] | None = None
        if self._bytes > MEMORY_PART_BYTES:
            with disk_errors():
                self._file = tempfile.TemporaryFile(dir=scratch, prefix="bindery-part-")  # noqa: SIM115 - see close
        self.length = 0

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return self.length == self._bytes

    @property
    def memory_bytes(self) -> int:
        """What it takes of memory while it is sent."""
        return self.length if self._file is None else MIB

    def take(self, data: memoryview) -> int:
        """Take as much as there is room for; tells how much."""
        taken = data[: self._bytes - self.length]
        if self._file is not None:
            with disk_errors():
                self._file.write(taken)
        elif self._memory is not None:
            self._memory += taken
        self.length += len(taken)
        return len(taken)

    def body(self) -> Any:  # noqa: ANN401 - what boto3 takes as a body
        """What to send."""
        if self._file is None:
            return self._memory
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Give memory and disk back."""
        self._memory = None
        if self._file is not None:
            self._file.close()
