"""Where things are: one spelling for every object's URL.

`s3://bucket/key` carries the key as it is: `#`, `?`, `%` and spaces are ordinary characters, nothing is escaped, and a key may
begin with `/`. `file:///path` carries the path as it is, absolute, with single slashes and without `.` or `..` segments. A
folder or a prefix is a URL too: a folder's ends in `/`, a prefix is the text that keys begin with.

`parse(url) == url` holds for every URL that `parse` returned, and `parse_prefix(url) == url` likewise.
"""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

from indexer.errors import LocationInvalid
from indexer.limits import NAME_BYTES

STORE_SCHEMES: Final = ("s3",)
"""Schemes whose URLs are `scheme://bucket/key`; another kind of object store is one more entry here and in `source.route`."""

FILE: Final = "file"

INDEX_SUFFIX: Final = ".bindery"
"""An archive's index lies beside it under the archive's name and this."""

SPELLINGS: Final = "Write s3://bucket/key, a local path, or file:///path"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
"""S3's own rule, and the capitals and underscores that old buckets in us-east-1 still have."""


class Location(NamedTuple):
    """A URL taken apart. `bucket` is empty for a file, whose `key` is its absolute path."""

    scheme: str
    bucket: str
    key: str


def parse(text: str) -> str:
    """Spell the URL of one object or file.

    Args:
        text: `s3://bucket/key`, `file:///path`, or a path, absolute or relative to the working folder. `~` is an ordinary
            character: the shell has expanded it where that was meant.

    Returns:
        The canonical URL.

    Raises:
        LocationInvalid: It names no single object: another scheme, no bucket, no key, a folder.
    """
    scheme, rest = _scheme(text)
    if scheme == FILE:
        if rest.endswith(("/", "/.", "/..")) or rest in (".", ".."):
            raise LocationInvalid("this is a folder, not a file", hint="Name the file in it", location=text)
        return f"file://{_absolute(rest)}"
    url = _stored(text, scheme, rest)
    if not split(url).key:
        raise LocationInvalid("this names a bucket, not an object", hint="Add the key: s3://bucket/key", location=text)
    return url


def parse_prefix(text: str) -> str:
    """Spell the URL of a prefix or a folder, to which `join` adds names.

    Args:
        text: As for `parse`; the key may be missing.

    Returns:
        `s3://bucket/prefix` with the prefix as given, closing slash or not, or `file:///folder/` with one closing slash.

    Raises:
        LocationInvalid: Another scheme, or no bucket.
    """
    scheme, rest = _scheme(text)
    if scheme == FILE:
        folder = _absolute(rest)
        return f"file://{folder}" if folder == "/" else f"file://{folder}/"
    return _stored(text, scheme, rest)


def split(url: str) -> Location:
    """Take a canonical URL apart."""
    scheme, _, rest = url.partition("://")
    if scheme == FILE:
        return Location(scheme, "", rest)
    bucket, _, key = rest.partition("/")
    return Location(scheme, bucket, key)


def local_path(url: str) -> str:
    """The path of a canonical `file://` URL.

    Raises:
        LocationInvalid: It is not one.
    """
    scheme, _, path = split(url)
    if scheme != FILE:
        raise LocationInvalid("only a local file will do here", hint="Name a path or file:///path", location=url)
    return path


def name(url: str) -> str:
    """The last segment of a canonical URL's key or path: what a person calls the object."""
    return split(url).key.rstrip("/").rpartition("/")[2]


def join(prefix: str, relative: str) -> str:
    """The URL of `relative` in a folder or under a prefix; a slash is put between them where there is none."""
    return f"{prefix}{relative}" if prefix.endswith("/") else f"{prefix}/{relative}"


def index_url(archive_url: str) -> str:
    """Where the index of an archive lies unless someone says otherwise."""
    return archive_url + INDEX_SUFFIX


def _scheme(text: str) -> tuple[str, str]:
    """The scheme of `text` and what follows it; a text without a scheme is a path."""
    if not text:
        raise LocationInvalid("an empty location names nothing", hint=SPELLINGS)
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise LocationInvalid("a location holds a NUL or bytes that are not UTF-8", hint="Rename it", location=ascii(text))
    match = _SCHEME.match(text)
    if match is None:
        if text.startswith(("arn:", *(f"{scheme}:" for scheme in (*STORE_SCHEMES, FILE)))):
            raise LocationInvalid(
                "this is no location we know", hint=f"{SPELLINGS}; a file of that name is ./{text}", location=text
            )
        return FILE, text
    scheme = match[1].lower()
    rest = text[match.end() :]
    if scheme == FILE:
        if not rest.startswith("/"):
            raise LocationInvalid("a file URL holds an absolute path", hint="Write file:///path, with three slashes", location=text)
    elif scheme not in STORE_SCHEMES:
        raise LocationInvalid(f"there is no way to read {scheme}:// here", hint=SPELLINGS, location=text)
    return scheme, rest


def _stored(text: str, scheme: str, rest: str) -> str:
    """The one spelling of a location in an object store."""
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        problem = f"{bucket!r} is not the name of a bucket" if bucket else "there is no bucket in this location"
        raise LocationInvalid(problem, hint="Write s3://bucket/key; for an access point, use its alias", location=text)
    if len(key.encode()) > NAME_BYTES:
        raise LocationInvalid(f"a key has at most {NAME_BYTES} bytes in UTF-8", hint="Check the location", location=text)
    return f"{scheme}://{bucket}/{key}"


def _absolute(path: str) -> str:
    """The one spelling of `path`. What stands before a `..` is resolved first: `link/..` is where the link's target lies."""
    if not path.startswith("/"):
        path = f"{os.getcwd()}/{path}"  # noqa: PTH109 - pathlib costs 4 ms of every cold start
    segments = [segment for segment in path.split("/") if segment not in ("", ".")]
    if ".." in segments:
        after = len(segments) - segments[::-1].index("..")
        resolved = os.path.realpath("/" + "/".join(segments[:after]))
        segments = [segment for segment in resolved.split("/") if segment] + segments[after:]
    return "/" + "/".join(segments)
