"""The one tree of errors: what went wrong, in which thing, and what to do next.

Every error carries a `Reason` and its facts (archive, member, offset, setting ...). `ANSWERS` is the one table that says what
each reason means to an S3 client and to a shell; a test keeps it complete.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar, Final


class Reason(enum.StrEnum):
    """Why a call failed: one code a cause, stable for machines."""

    SETTING_INVALID = "setting_invalid"
    LOCATION_INVALID = "location_invalid"
    OBJECT_MISSING = "object_missing"
    OBJECT_REPLACED = "object_replaced"
    ACCESS_REFUSED = "access_refused"
    STORE_FAILED = "store_failed"
    ARCHIVE_DAMAGED = "archive_damaged"
    ARCHIVE_UNSUPPORTED = "archive_unsupported"
    INDEX_MISSING = "index_missing"
    INDEX_DAMAGED = "index_damaged"
    INDEX_UNSUPPORTED = "index_unsupported"
    INDEX_STALE = "index_stale"
    CATALOG_MISSING = "catalog_missing"
    CATALOG_DAMAGED = "catalog_damaged"
    CATALOG_UNSUPPORTED = "catalog_unsupported"
    CATALOG_STALE = "catalog_stale"
    CATALOG_CONTENDED = "catalog_contended"
    MEMBER_MISSING = "member_missing"
    MEMBER_UNREADABLE = "member_unreadable"
    MEMBER_DAMAGED = "member_damaged"
    LIMIT_EXCEEDED = "limit_exceeded"
    SOURCE_EMPTY = "source_empty"
    SOURCE_UNPACKABLE = "source_unpackable"
    SOURCE_CHANGED = "source_changed"
    VERIFY_FAILED = "verify_failed"
    DESTINATION_EXISTS = "destination_exists"
    DISK_FULL = "disk_full"
    TOOL_MISSING = "tool_missing"
    RANGE_INVALID = "range_invalid"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reason means outside: the S3 error code with its HTTP status, and the exit code of the command line."""

    s3_code: str
    http_status: int
    exit_code: int


ANSWERS: Final[dict[Reason, Answer]] = {
    Reason.SETTING_INVALID: Answer("InternalError", 500, 2),
    Reason.LOCATION_INVALID: Answer("InternalError", 500, 2),
    Reason.OBJECT_MISSING: Answer("ServiceUnavailable", 503, 3),
    Reason.OBJECT_REPLACED: Answer("ServiceUnavailable", 503, 6),
    Reason.ACCESS_REFUSED: Answer("AccessDenied", 403, 4),
    Reason.STORE_FAILED: Answer("ServiceUnavailable", 503, 5),
    Reason.ARCHIVE_DAMAGED: Answer("InternalError", 500, 6),
    Reason.ARCHIVE_UNSUPPORTED: Answer("InvalidObjectState", 403, 6),
    Reason.INDEX_MISSING: Answer("ServiceUnavailable", 503, 3),
    Reason.INDEX_DAMAGED: Answer("InternalError", 500, 6),
    Reason.INDEX_UNSUPPORTED: Answer("InternalError", 500, 6),
    Reason.INDEX_STALE: Answer("ServiceUnavailable", 503, 6),
    Reason.CATALOG_MISSING: Answer("ServiceUnavailable", 503, 3),
    Reason.CATALOG_DAMAGED: Answer("InternalError", 500, 6),
    Reason.CATALOG_UNSUPPORTED: Answer("InternalError", 500, 6),
    Reason.CATALOG_STALE: Answer("ServiceUnavailable", 503, 6),
    Reason.CATALOG_CONTENDED: Answer("ServiceUnavailable", 503, 5),
    Reason.MEMBER_MISSING: Answer("NoSuchKey", 404, 3),
    Reason.MEMBER_UNREADABLE: Answer("InvalidObjectState", 403, 6),
    Reason.MEMBER_DAMAGED: Answer("InternalError", 500, 6),
    Reason.LIMIT_EXCEEDED: Answer("InternalError", 500, 6),
    Reason.SOURCE_EMPTY: Answer("InternalError", 500, 3),
    Reason.SOURCE_UNPACKABLE: Answer("InternalError", 500, 7),
    Reason.SOURCE_CHANGED: Answer("InternalError", 500, 7),
    Reason.VERIFY_FAILED: Answer("InternalError", 500, 7),
    Reason.DESTINATION_EXISTS: Answer("InternalError", 500, 7),
    Reason.DISK_FULL: Answer("InternalError", 500, 5),
    Reason.TOOL_MISSING: Answer("InternalError", 500, 2),
    Reason.RANGE_INVALID: Answer("InvalidRange", 416, 2),
}
"""For S3 clients, an archive that is absent is a fault of ours (503, try again), never a key that does not exist (404)."""

Fact = str | int


class BinderyError(Exception):
    """Base of all errors we raise on purpose.

    Args:
        message: What is wrong, for a person; the facts are appended when it is printed.
        hint: What to do next, as one sentence; empty when nothing can be done.
        facts: Where: `archive`, `index`, `member`, `offset`, `section`, `setting`, ...
    """

    reason: ClassVar[Reason]

    def __init__(self, message: str, *, hint: str = "", **facts: Fact) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts

    @property
    def answer(self) -> Answer:
        """How this error is told to an S3 client and to a shell."""
        return ANSWERS[self.reason]

    def __str__(self) -> str:
        where = ", ".join(
            f"{name} {value!r}" if isinstance(value, str) else f"{name} {value}" for name, value in self.facts.items()
        )
        text = f"{self.message} ({where})" if where else self.message
        return f"{text}. {self.hint}" if self.hint else text


class SettingInvalid(BinderyError):
    """A setting or an option has a value that cannot work."""

    reason = Reason.SETTING_INVALID


class LocationInvalid(BinderyError):
    """A URL or path does not name what it should name."""

    reason = Reason.LOCATION_INVALID


class ObjectMissing(BinderyError):
    """The store has no object at this URL."""

    reason = Reason.OBJECT_MISSING


class ObjectReplaced(BinderyError):
    """The object is no longer the version that was read before (412 to `If-Match`)."""

    reason = Reason.OBJECT_REPLACED


class AccessRefused(BinderyError):
    """The store refused our credentials (401, 403)."""

    reason = Reason.ACCESS_REFUSED


class StoreFailed(BinderyError):
    """The store or the way to it failed after all retries; trying later may help."""

    reason = Reason.STORE_FAILED


class ArchiveDamaged(BinderyError):
    """The archive's bytes contradict its format."""

    reason = Reason.ARCHIVE_DAMAGED


class ArchiveUnsupported(BinderyError):
    """The archive is sound as far as we see, but of a kind we cannot serve."""

    reason = Reason.ARCHIVE_UNSUPPORTED


class IndexMissing(BinderyError):
    """There is no index for this archive yet."""

    reason = Reason.INDEX_MISSING


class IndexDamaged(BinderyError):
    """A section of an index fails its own proof; `section` names it."""

    reason = Reason.INDEX_DAMAGED


class IndexUnsupported(BinderyError):
    """The index was written by a newer program and uses what this one does not know."""

    reason = Reason.INDEX_UNSUPPORTED


class IndexStale(BinderyError):
    """The index describes another version of the archive than the one that is there."""

    reason = Reason.INDEX_STALE


class CatalogMissing(BinderyError):
    """There is no catalog at this URL."""

    reason = Reason.CATALOG_MISSING


class CatalogDamaged(BinderyError):
    """A section of a catalog fails its own proof; `section` names it."""

    reason = Reason.CATALOG_DAMAGED


class CatalogUnsupported(BinderyError):
    """The catalog was written by a newer program and uses what this one does not know."""

    reason = Reason.CATALOG_UNSUPPORTED


class CatalogStale(BinderyError):
    """The catalog tells of another version of an archive, or of its index, than the one that is there."""

    reason = Reason.CATALOG_STALE


class CatalogContended(BinderyError):
    """So many others write the catalog that this change did not get in."""

    reason = Reason.CATALOG_CONTENDED


class MemberMissing(BinderyError):
    """The archive has no member of this name."""

    reason = Reason.MEMBER_MISSING


class MemberUnreadable(BinderyError):
    """The member is there but cannot be read (encrypted, unknown method); its reason is in the message."""

    reason = Reason.MEMBER_UNREADABLE


class MemberDamaged(BinderyError):
    """The member's bytes do not decode, or do not match their checksum."""

    reason = Reason.MEMBER_DAMAGED


class LimitExceeded(BinderyError):
    """A bound of `limits.py` would be broken."""

    reason = Reason.LIMIT_EXCEEDED


class SourceEmpty(BinderyError):
    """There is nothing to pack."""

    reason = Reason.SOURCE_EMPTY


class SourceUnpackable(BinderyError):
    """A source object has a key that an archive cannot hold safely."""

    reason = Reason.SOURCE_UNPACKABLE


class SourceChanged(BinderyError):
    """A source object vanished or changed while it was packed."""

    reason = Reason.SOURCE_CHANGED


class VerifyFailed(BinderyError):
    """A member read back does not equal what was packed."""

    reason = Reason.VERIFY_FAILED


class DestinationExists(BinderyError):
    """The object to be written is already there and is not ours to replace."""

    reason = Reason.DESTINATION_EXISTS


class DiskFull(BinderyError):
    """The local disk has no room for scratch files, the archive or the cache."""

    reason = Reason.DISK_FULL


class ToolMissing(BinderyError):
    """An external program that this needs is not installed."""

    reason = Reason.TOOL_MISSING


class RangeInvalid(BinderyError):
    """The bytes asked for lie outside the member."""

    reason = Reason.RANGE_INVALID
