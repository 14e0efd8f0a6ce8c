"""Which operation of the S3 REST API a request is, path style."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from object_lambda.s3_errors import InvalidBucketName, MethodNotAllowed, NotImplementedHere


class Operation(enum.StrEnum):
    """What we answer, by the names of the API reference."""

    LIST_BUCKETS = "ListBuckets"
    HEAD_BUCKET = "HeadBucket"
    GET_BUCKET_LOCATION = "GetBucketLocation"
    LIST_OBJECTS = "ListObjects"
    GET_OBJECT = "GetObject"
    HEAD_OBJECT = "HeadObject"


BUCKET_SUBRESOURCES: Final = frozenset(
    [
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "lifecycle",
        "logging",
        "metadataConfiguration",
        "metadataTable",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "session",
        "tagging",
        "uploads",
        "versioning",
        "versions",
        "website",
    ]
)
"""Query parameters that make a request on a bucket another one than a listing; `location` is answered."""

OBJECT_SUBRESOURCES: Final = frozenset(
    ["acl", "attributes", "legal-hold", "retention", "select", "tagging", "torrent", "uploadId", "uploads"]
)
"""Query parameters that make a request on an object another one than GetObject."""


def operation_of(method: str, bucket: str, key: bytes, query: Mapping[str, str]) -> Operation:
    """Tell which operation a request is. Parameters that no operation knows (`x-id`) are passed over.

    Raises:
        MethodNotAllowed: It would write.
        NotImplementedHere: Only S3 itself can answer it.
        InvalidBucketName: A key without a bucket.
    """
    if method not in {"GET", "HEAD"}:
        raise MethodNotAllowed(method)
    if not bucket:
        if key:
            raise InvalidBucketName("", BucketName=bucket)
        return Operation.LIST_BUCKETS
    if query:
        _refuse(query, OBJECT_SUBRESOURCES if key else BUCKET_SUBRESOURCES)
    if key:
        return Operation.GET_OBJECT if method == "GET" else Operation.HEAD_OBJECT
    if method == "HEAD":
        return Operation.HEAD_BUCKET
    return Operation.GET_BUCKET_LOCATION if "location" in query else Operation.LIST_OBJECTS


def _refuse(query: Mapping[str, str], subresources: frozenset[str]) -> None:
    for name in query:
        if name in subresources:
            raise NotImplementedHere("", Header=name)
