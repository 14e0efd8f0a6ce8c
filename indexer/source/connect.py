"""Clients of object stores: one for each bucket, made once, shared by everything that reads or writes there.

Credentials are looked for in this order: the variables, the role of a container or a cluster, a profile, the machine. Profiles
are read by botocore, which is loaded only then: it costs 90 ms, which no Lambda and no container pays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from obstore.exceptions import BaseError
from obstore.store import S3Store

from indexer.errors import AccessRefused, LocationInvalid, SettingInvalid
from indexer.source.settings import DEFAULT_REGION, StoreSettings
from indexer.urls import split

if TYPE_CHECKING:
    from collections.abc import Callable

    from obstore.store import ClientConfig, RetryConfig, S3Credential

CLIENT: Final[ClientConfig] = {
    "connect_timeout": "3s",
    "read_timeout": "10s",
    "timeout": "60s",
    "user_agent": "bindery",
}
"""A request whose connection stands still for 10 s is given up and tried again: S3's own tail ends well below that. 60 s for a
whole request of `REQUEST_BYTES` is a line of 140 KB/s."""

RETRIES: Final[RetryConfig] = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=40),
    "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=4), "base": 3},
}
"""Five tries in all, after about 50, 150, 450 and 1,350 ms (jittered): what a throttled prefix (503 Slow Down) needs to recover,
and less than the 60 s that an Object Lambda caller waits."""

PROFILE_TTL: Final = timedelta(minutes=10)
"""How long credentials of a profile are used before botocore is asked again, which renews those that near their end (its own
limit is 10 to 15 minutes before)."""

_TOLD_CHARACTERS = 300


class Place(NamedTuple):
    """An object as obstore names it: a client, and a key that the client sends as it is."""

    store: S3Store
    key: str


class Stores:
    """The clients for all buckets under one set of settings. Safe for threads; not to be used on both sides of a fork.

    Args:
        settings: How to reach the store.
        retries: How often and how long a request is tried again.
    """

    def __init__(self, settings: StoreSettings, *, retries: RetryConfig = RETRIES) -> None:
        self.settings = settings
        self.retries = retries
        self._stores: dict[str, S3Store] = {}
        self._profile: _ProfileCredentials | None = None

    def bucket(self, name: str) -> S3Store:
        """The client for a bucket. The first call for a bucket costs about 3 ms, no request.

        Raises:
            AccessRefused: No credentials are set and none can be looked for.
            SettingInvalid: The profile or the certificates cannot be used.
        """
        store = self._stores.get(name)
        # Two threads that come first together make two clients; one is kept and the other was never used.
        return store if store is not None else self._stores.setdefault(name, self._connect(name))

    def place(self, url: str) -> Place:
        """Where obstore finds the object at `url`.

        Raises:
            LocationInvalid: obstore cannot ask for this key: it would drop a leading or a closing slash, and so ask for another
                object, and refuses empty, `.` and `..` segments and control characters.
            AccessRefused, SettingInvalid: As `bucket`.
        """
        _, bucket, key = split(url)
        if any(segment in ("", ".", "..") for segment in key.split("/")) or any(char < " " or char == "\x7f" for char in key):
            raise LocationInvalid(
                "this key holds an empty or dotted segment or a control character, and our S3 client cannot ask for it",
                hint="Copy the object to a plain key",
                object=url,
            )
        return Place(self.bucket(bucket), key)

    def _connect(self, name: str) -> S3Store:
        settings = self.settings
        client: ClientConfig = {**CLIENT}
        config: dict[str, Any] = {"region": settings.region or DEFAULT_REGION}
        credentials: Callable[[], S3Credential] | None = None
        if settings.endpoint is not None:
            config["aws_endpoint_url_s3"] = settings.endpoint
            client["allow_http"] = settings.endpoint.startswith("http://")
        else:
            # AWS's certificate covers one label before s3.<region>; a bucket with a dot has to go into the path.
            config["virtual_hosted_style_request"] = "." not in name
        if settings.ca_bundle is not None and not client.get("allow_http"):
            client["root_certificate"] = _certificates(settings.ca_bundle)
        if settings.unsigned:
            config["skip_signature"] = True
        elif settings.access_key_id is not None and settings.secret_access_key is not None:
            config["access_key_id"] = settings.access_key_id
            config["secret_access_key"] = settings.secret_access_key
            if settings.session_token is not None:
                config["session_token"] = settings.session_token
        elif settings.has_role:
            config |= dict(settings.role)
        elif settings.profile is not None or settings.profile_files:
            credentials = self._profile = self._profile or _ProfileCredentials(settings)
            config["region"] = settings.region or credentials.region or DEFAULT_REGION
        elif not settings.instance_metadata:
            raise AccessRefused(
                "no AWS credentials are set",
                hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
                bucket=name,
            )
        try:
            return S3Store(
                name,
                config=config,  # type: ignore[arg-type]  # a dict of obstore's own names
                client_options=client,
                retry_config=self.retries,
                credential_provider=credentials,
            )
        except BaseError as error:
            problem = " ".join(str(error).split())[:_TOLD_CHARACTERS]
            raise SettingInvalid(
                f"no client can be made from these settings: {problem}",
                hint="Check AWS_CA_BUNDLE and AWS_ENDPOINT_URL",
                bucket=name,
            ) from error


class _ProfileCredentials:
    """Credentials of a profile, by botocore: keys in files, assumed roles, single sign-on, a credential process, the machine."""

    def __init__(self, settings: StoreSettings) -> None:
        import botocore.session  # noqa: PLC0415 - 90 ms, for those with a profile only
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        session = botocore.session.Session(profile=settings.profile)
        for variable, place in settings.profile_files:
            session.set_config_variable(variable, place)
        try:
            credentials = session.get_credentials()
            self.region: str | None = session.get_config_variable("region")
        except BotoCoreError as error:
            raise SettingInvalid(
                f"the AWS profile cannot be used: {error}", hint="Check AWS_PROFILE and the files in ~/.aws"
            ) from error
        if credentials is None:
            raise AccessRefused(
                "the AWS profile gives no credentials",
                hint="Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                profile=settings.profile or "default",
            )
        self._credentials = credentials

    def __call__(self) -> S3Credential:
        """Credentials for the next minutes; called by obstore, from a thread of its own."""
        frozen = self._credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key or "",
            "secret_access_key": frozen.secret_key or "",
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + PROFILE_TTL,
        }


def _certificates(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 4 ms of every cold start
            return file.read()
    except OSError as error:
        raise SettingInvalid(
            f"the certificates cannot be read: {error.strerror}", hint="Check the file", setting="AWS_CA_BUNDLE", path=path
        ) from error
