"""Requests signed by botocore, with the clock in the test's hand, and what a gateway sees of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from object_lambda.access import RequestFacts
from object_lambda.grants import Grants
from object_lambda.keyring import AccessKey, Keyring
from object_lambda.signed_access import SignedAccess

REGION = "eu-central-1"
NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
NOW_S = NOW.timestamp()
HOST = "s3.example.com"
KEY_ID = "READER"
SECRET = "reader-secret/with+signs"


class Clock:
    """A clock that tests move."""

    def __init__(self, now_s: float = NOW_S) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def keyring(**read: Sequence[str]) -> Keyring:
    """A key that reads everything, and those named, each with a secret like the first one's."""
    every = {KEY_ID: ["*"], **read}
    return Keyring(AccessKey(name, secret_of(name), Grants(texts)) for name, texts in every.items())


def secret_of(access_key_id: str) -> str:
    return SECRET if access_key_id == KEY_ID else f"{access_key_id.lower()}-secret-0123456789"


def access_at(clock: Clock | None = None, **read: Sequence[str]) -> SignedAccess:
    return SignedAccess(keyring(**read), region=REGION, now=clock or Clock())


def facts_of(method: str, url: str, headers: Sequence[tuple[str, str]]) -> RequestFacts:
    """What the gateway sees of a request: header names in lower case, values as Latin-1, repeated ones joined."""
    path, _, query = url.partition("://")[2].partition("?")
    told: dict[str, str] = {"host": urlsplit(url).netloc}
    for name, value in headers:
        seen = value.encode().decode("latin-1").strip(" \t")
        key = name.lower()
        told[key] = f"{told[key]},{seen}" if key in told and key != "host" else seen
    return RequestFacts(method, path[path.index("/") :].encode(), query.encode(), told)


def signed_by_botocore(
    target: str,
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    expires_s: int | None = None,
    credentials: Credentials | None = None,
    region: str = REGION,
    service: str = "s3",
    at: datetime = NOW,
    payload: str | None = None,
    host: str = HOST,
) -> RequestFacts:
    """Signs `https://` + `host` + `target`: in the Authorization header, or as a presigned URL when it expires.

    A `payload` stands in the place of the body's hash.
    """
    request = AWSRequest(method, f"https://{host}{target}")
    for name, value in headers:
        request.headers.add_header(name, value)
    credentials = credentials or Credentials(KEY_ID, SECRET)
    signer = (
        S3SigV4Auth(credentials, service, region)
        if expires_s is None
        else S3SigV4QueryAuth(credentials, service, region, expires=expires_s)
    )
    payload_of = signer.payload if payload is None else lambda _: payload
    with patch("botocore.auth.get_current_datetime", return_value=at), patch.object(signer, "payload", payload_of):
        signer.add_auth(request)
    return facts_of(method, str(request.url), list(request.headers.items()))


def changed(facts: RequestFacts, **headers: str | None) -> RequestFacts:
    """The same with other headers (`_` stands for `-`); None leaves one out."""
    new: Mapping[str, str | None] = {name.replace("_", "-"): value for name, value in headers.items()}
    merged = {**facts.headers, **new}
    return RequestFacts(
        facts.method, facts.raw_path, facts.raw_query, {name: value for name, value in merged.items() if value is not None}
    )
