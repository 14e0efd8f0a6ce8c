"""Objects in buckets as sources: listed in key order, read in the version that was listed.

Bodies come through obstore, which costs a twentieth of botocore's time. It cannot name every key, though: those with empty or
dotted segments, and all listings, because a listing must tell `a/` from `a`, go through boto3.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import boto3
import botocore.session
import obstore
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from archiver.sources import Chosen, Fetched
from archiver.writers import Data
from indexer.attributes import DEFAULT_CONTENT_TYPE
from indexer.errors import AccessRefused, BinderyError, LocationInvalid, ObjectMissing, ObjectReplaced, SourceChanged, StoreFailed
from indexer.model import Attributes
from indexer.source.connect import Place, Stores
from indexer.source.settings import DEFAULT_REGION, StoreSettings
from indexer.source.store import STORE_ERRORS, failure
from indexer.urls import split

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef
    from obstore import GetOptions

CLIENT_ERRORS: Final = (BotoCoreError, ClientError)
"""What boto3 raises."""

TRIES: Final = 5

_FIELDS: Final = {
    "Cache-Control": "cache_control",
    "Content-Disposition": "content_disposition",
    "Content-Encoding": "content_encoding",
    "Content-Language": "content_language",
    "Content-Type": "content_type",
}
_MOST_REMEMBERED: Final = 4096


class Listed(NamedTuple):
    """An object as a listing tells it."""

    key: str
    size: int
    etag: str
    mtime_s: int


class Buckets:
    """The buckets that one set of settings reaches; safe for threads.

    Args:
        settings: How to reach them.
        requests: Requests in flight at most, as `Reader.requests`.
    """

    def __init__(self, settings: StoreSettings, *, requests: int) -> None:
        self.stores = Stores(settings)
        self.requests = requests
        self._settings = settings
        self._client: S3Client | None = None
        self._making = threading.Lock()
        self._known: dict[tuple[tuple[str, Any], ...], Attributes] = {}

    @property
    def client(self) -> S3Client:
        """boto3's client, made on first need: loading it costs 185 ms."""
        with self._making:
            if self._client is None:
                self._client = _client(self._settings, connections=max(self.requests, 10))
        return self._client

    def list(self, bucket: str, prefix: str) -> Iterator[Listed]:
        """All objects whose keys begin with `prefix`, in key order. Costs one request for every thousand.

        Raises:
            ObjectMissing: There is no such bucket.
            AccessRefused, StoreFailed: It cannot be listed.
        """
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        try:
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield Listed(entry["Key"], entry["Size"], entry["ETag"].strip('"'), int(entry["LastModified"].timestamp()))
        except CLIENT_ERRORS as error:
            raise client_failure(error, f"s3://{bucket}/{prefix}") from error

    def head(self, url: str) -> Listed:
        """The object at `url` as a listing would tell it. Costs one request.

        Raises:
            ObjectMissing, AccessRefused, StoreFailed: As ever.
        """
        _, bucket, key = split(url)
        try:
            place = self.place(url)
            if place is not None:
                meta = obstore.head(place.store, place.key)
                return Listed(key, meta["size"], (meta["e_tag"] or "").strip('"'), int(meta["last_modified"].timestamp()))
        except STORE_ERRORS as error:
            raise failure(error, url) from error
        try:
            answer = self.client.head_object(Bucket=bucket, Key=key)
        except CLIENT_ERRORS as error:
            raise client_failure(error, url) from error
        return Listed(key, answer["ContentLength"], answer["ETag"].strip('"'), int(answer["LastModified"].timestamp()))

    @staticmethod
    def etag(chosen: Chosen) -> str | None:
        """As `Reader.etag`."""
        return chosen.version or None

    def read(self, chosen: Chosen, start: int, stop: int) -> Fetched:
        """As `Reader.read`."""
        whole = (start, stop) == (0, chosen.size)
        data: Data
        try:
            place = self.place(chosen.url)
            if place is None:
                data, told, moment, etag = self._read_odd(chosen, None if whole else f"bytes={start}-{stop - 1}")
            else:
                options: GetOptions = {"if_match": f'"{chosen.version}"'}
                if not whole:
                    options["range"] = (start, stop)
                result = obstore.get(place.store, place.key, options=options)
                etag, moment, told = result.meta["e_tag"] or "", result.meta["last_modified"], result.attributes
                data = memoryview(result.bytes())
        except CLIENT_ERRORS as error:
            raise source_failure(client_failure(error, chosen.url)) from error
        except STORE_ERRORS as error:
            raise source_failure(failure(error, chosen.url)) from error
        if etag.strip('"') != chosen.version:  # not every store heeds If-Match
            raise source_failure(ObjectReplaced("the object was replaced", object=chosen.url))
        if len(data) != stop - start:
            raise StoreFailed("the store gave fewer bytes than it was asked for", hint="Try again", object=chosen.url)
        return Fetched(data, self._attributes(told), int(moment.timestamp()))

    def place(self, url: str) -> Place | None:
        """Where obstore finds an object; None when it cannot name the key."""
        try:
            return self.stores.place(url)
        except LocationInvalid:
            return None

    def _read_odd(self, chosen: Chosen, span: str | None) -> tuple[bytes, dict[str, str], datetime, str]:
        _, bucket, key = split(chosen.url)
        request: GetObjectRequestTypeDef = {"Bucket": bucket, "Key": key, "IfMatch": f'"{chosen.version}"'}
        if span is not None:
            request["Range"] = span
        answer = self.client.get_object(**request)
        told = {name: str(answer[field]) for name in _FIELDS if (field := name.replace("-", "")) in answer}  # type: ignore[literal-required]  # one of five
        return answer["Body"].read(), {**answer["Metadata"], **told}, answer["LastModified"], answer["ETag"]

    def _attributes(self, told: Any) -> Attributes:  # noqa: ANN401 - a mapping of obstore's own literals, and of user metadata
        """Attributes from headers; those of a million objects are mostly the same, and then one value."""
        key = tuple(sorted(told.items()))
        known = self._known.get(key)
        if known is None:
            fields = {field: told[name] for name, field in _FIELDS.items() if told.get(name)}
            if fields.get("content_type") == DEFAULT_CONTENT_TYPE:
                del fields["content_type"]
            # User metadata comes in lower case; a capital is a header that S3 answers but does not keep for the object.
            metadata = tuple((name, value) for name, value in key if name == name.lower())
            if len(self._known) == _MOST_REMEMBERED:
                self._known.clear()
            known = self._known[key] = Attributes(**fields, metadata=metadata)
        return known


def _client(settings: StoreSettings, *, connections: int) -> S3Client:
    """A boto3 client for the same settings as obstore's."""
    fixed = settings.access_key_id is not None and not settings.unsigned
    own = botocore.session.Session(profile=None if fixed or settings.has_role else settings.profile)
    for variable, place in settings.profile_files:
        own.set_config_variable(variable, place)
    config = Config(
        retries={"mode": "standard", "total_max_attempts": TRIES},
        connect_timeout=3,
        read_timeout=60,
        max_pool_connections=connections,
        s3={"addressing_style": "path" if settings.endpoint else "auto"},
        # The whole archive is read back before it counts; a checksum in a trailer is what many stores do not take.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        signature_version=UNSIGNED if settings.unsigned else None,
        user_agent_extra="bindery",
    )
    return boto3.session.Session(botocore_session=own).client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region or own.get_config_variable("region") or DEFAULT_REGION,
        aws_access_key_id=settings.access_key_id if fixed else None,
        aws_secret_access_key=settings.secret_access_key if fixed else None,
        aws_session_token=settings.session_token if fixed else None,
        verify=settings.ca_bundle,
        config=config,
    )


def client_failure(error: BotoCoreError | ClientError, url: str) -> BinderyError:
    """What an error of boto3 means."""
    if not isinstance(error, ClientError):
        return StoreFailed(f"the store cannot be reached: {error}", hint="Check the endpoint, and try again later", object=url)
    told = error.response.get("Error", {})
    code = told.get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "NoSuchBucket":
        return ObjectMissing("there is no such bucket", hint="Check the bucket's name and the endpoint", object=url)
    if code == "NoSuchUpload":
        return ObjectMissing(
            "the upload was ended from elsewhere", hint="Another run may have done this work: try again", object=url
        )
    if status == 404:
        return ObjectMissing("there is no such object", hint="Check the bucket and the key", object=url)
    if status in (401, 403):
        return AccessRefused(
            f"the store refused our credentials: {code} {told.get('Message', '')}".strip(),
            hint="Check the credentials and the policy of the bucket",
            object=url,
        )
    if status == 412 or (status == 409 and code == "ConditionalRequestConflict"):
        return ObjectReplaced("another version of the object is there", hint="Try again", object=url)
    if status == 301 or code == "PermanentRedirect":
        return StoreFailed("the bucket lies in another region", hint="Set AWS_REGION to the bucket's region", object=url)
    return StoreFailed(f"the store failed: {code} {told.get('Message', '')}".strip(), hint="Try again later", object=url)


def source_failure(error: BinderyError) -> BinderyError:
    """What an error of reading means for an object that was listed."""
    if isinstance(error, (ObjectReplaced, ObjectMissing)):
        did = "vanished" if isinstance(error, ObjectMissing) else "was replaced"
        return SourceChanged(f"a source {did} while it was packed", hint="Pack again", source=str(error.facts.get("object", "")))
    return error
