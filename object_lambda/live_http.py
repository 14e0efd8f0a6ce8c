"""The live side of the gateway: S3, or what speaks its language, asked with the gateway's own role."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote, urlsplit

from indexer.errors import AccessRefused, SettingInvalid, StoreFailed
from indexer.source.settings import DEFAULT_REGION, StoreSettings
from object_lambda.http_async import HttpClient, Origin, Response
from object_lambda.live import LiveAnswer, LiveList, LiveObject, LivePage, passed_on
from object_lambda.live_documents import DOCUMENT_BYTES, read_page, read_refusal
from object_lambda.live_requests import list_parameters, object_headers, object_parameters
from object_lambda.role import Role
from object_lambda.s3_errors import S3Error
from object_lambda.signing import NO_PAYLOAD, signed
from object_lambda.wgor_endpoint import dns_suffix

log = logging.getLogger(__name__)

ERROR_BYTES: Final = 64 << 10

ABOUT_US: Final = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
"""Refusals of our own signature. Told as they are, a client would take them for its own."""


class HttpLive:
    """As `live.AsyncLive`.

    Args:
        settings: How to reach the store.
        role: Who asks.
        clock: Seconds since 1970 (`time.time`), for signatures.
    """

    def __init__(self, settings: StoreSettings, role: Role, *, clock: Callable[[], float]) -> None:
        self._endpoint = None if settings.endpoint is None else urlsplit(settings.endpoint)
        self._region = settings.region or role.region or DEFAULT_REGION
        self._role = role
        self._clock = clock
        secure = self._endpoint is None or self._endpoint.scheme == "https"
        self._client = HttpClient(_tls(settings.ca_bundle) if secure else None)

    async def open(self, ask: LiveObject) -> LiveAnswer:
        """As `Live.open`. Ranges, conditions, part numbers and overrides are the store's to weigh."""
        response = await self._send(ask.method, ask.bucket, ask.key, object_headers(ask.request), object_parameters(ask.request))
        if response.status not in {200, 206, 304}:
            raise await self._refusal(response, ask.bucket)
        headers = passed_on(response.headers)
        if ask.method == "GET" and response.status != 304:
            return LiveAnswer(response.status, headers, response)
        await response.read(0)
        return LiveAnswer(response.status, headers)

    async def list(self, ask: LiveList) -> LivePage:
        """As `Live.list`."""
        response = await self._send("GET", ask.bucket, b"", [], list_parameters(ask))
        if response.status != 200:
            raise await self._refusal(response, ask.bucket)
        return read_page(await response.read(DOCUMENT_BYTES))

    def close(self) -> None:
        """As `AsyncLive.close`."""
        self._client.close()

    async def _send(
        self, method: str, bucket: str, key: bytes, headers: Sequence[tuple[str, str]], parameters: Sequence[tuple[str, str]]
    ) -> Response:
        origin, path = self._place(bucket, key)
        query = "&".join(f"{name}={value}" for name, value in parameters)
        sent = [("Host", origin.host), *headers]
        credentials = await self._role.credentials()
        if credentials is not None:
            sent = signed(
                sent,
                credentials,
                method=method,
                path=path,
                service="s3",
                region=self._region,
                timestamp=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock())),
                query=query,
                payload=NO_PAYLOAD,
            )
        return await self._client.send(origin, method, f"{path}?{query}" if query else path, sent)

    def _place(self, bucket: str, key: bytes) -> tuple[Origin, str]:
        """The server and the path. AWS's certificate covers one label before `s3`: a bucket with a dot goes into the path."""
        spelled = quote(key, safe="-_.~/")
        if self._endpoint is not None:
            base = self._endpoint.path.rstrip("/")
            return Origin(self._endpoint.scheme == "https", self._endpoint.netloc), f"{base}/{bucket}/{spelled}"
        host = f"s3.{self._region}.{dns_suffix(self._region)}"
        if "." in bucket:
            return Origin(secure=True, host=host), f"/{bucket}/{spelled}"
        return Origin(secure=True, host=f"{bucket}.{host}"), f"/{spelled}"

    async def _refusal(self, response: Response, bucket: str) -> S3Error | StoreFailed | AccessRefused:
        """What an answer that is no success means; to be raised."""
        document = await response.read(ERROR_BYTES)
        if response.status < 400:
            return StoreFailed("the live bucket lies in another region", hint="Set AWS_REGION to its region", bucket=bucket)
        error = read_refusal(response.status, document)
        if error.code == "NoSuchBucket":
            return StoreFailed("there is no such live bucket", hint="Check --live", bucket=bucket)
        if error.code in ABOUT_US:
            return AccessRefused(
                f"the store refused us: {error.code}, {error.message}", hint="Check the credentials", bucket=bucket
            )
        log.log(logging.WARNING if error.http_status >= 500 else logging.DEBUG, "live %s: %s", bucket, error.code)
        return error


def _tls(ca_bundle: str | None) -> ssl.SSLContext:
    """Trusts the system's certificates, and those of a file beside them."""
    context = ssl.create_default_context()
    if ca_bundle is not None:
        try:
            context.load_verify_locations(ca_bundle)
        except OSError as error:
            hint = "Check the file"
            raise SettingInvalid(f"the certificates cannot be read: {error}", hint=hint, setting="AWS_CA_BUNDLE") from error
    return context
