"""Where WriteGetObjectResponse is sent, and as whom: from the AWS variables, read once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from indexer.errors import SettingInvalid
from indexer.source.settings import DEFAULT_REGION, StoreSettings
from object_lambda.signing import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE: Final = "s3-object-lambda"
PATH: Final = "/WriteGetObjectResponse"

DNS_SUFFIXES: Final = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
}
"""AWS's partitions by what their regions' names begin with; all other regions are under `amazonaws.com`."""

HOST_LABEL: Final = re.compile(r"[A-Za-z0-9-]{1,63}")
"""What an event's route must be: it becomes part of a host, and must not lead anywhere else."""

ADDRESS: Final = re.compile(r"[0-9.]+|.*:.*")
"""A host that is a number has no names under it."""

ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3_OBJECT_LAMBDA", "AWS_ENDPOINT_URL")
"""`AWS_ENDPOINT_URL_S3` is not asked: what answers ranged reads, such as a VPC endpoint, does not take responses."""


class Address(NamedTuple):
    """Where to connect to; `host` is as the Host header has it, with a port only when it is not the scheme's own."""

    host: str
    path: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The receiver of responses.

    Args:
        base: `https://host`, `http://host:port`, perhaps with a path.
        region: What requests are signed for.
        credentials: Who signs.
        routed: Whether the event's route stands before the host.
        ca_bundle: A file of certificates to trust in place of the system's.
    """

    base: str
    region: str
    credentials: Credentials
    routed: bool = field(kw_only=True)
    ca_bundle: str | None = field(default=None, kw_only=True)

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Endpoint:
        """Read the AWS variables that every Lambda function has.

        Raises:
            SettingInvalid: There are no credentials, or a variable cannot work.
        """
        store = StoreSettings.read(env)
        if store.access_key_id is None or store.secret_access_key is None:
            raise SettingInvalid(
                "there are no credentials to sign responses with",
                hint="Run this as a Lambda function without SnapStart, which gives AWS_ACCESS_KEY_ID and the like",
                setting="AWS_ACCESS_KEY_ID",
            )
        region = store.region or DEFAULT_REGION
        credentials = Credentials(store.access_key_id, store.secret_access_key, store.session_token)
        override = next((env[name] for name in ENDPOINT_VARIABLES if env.get(name)), None)
        base = f"https://{SERVICE}.{region}.{dns_suffix(region)}" if override is None else override.rstrip("/")
        host = urlsplit(base).hostname
        if not base.startswith(("http://", "https://")) or not host:
            raise SettingInvalid(f"{override!r} is no URL such as https://host:port", setting=ENDPOINT_VARIABLES[0])
        routed = env.get("AWS_DISABLE_HOST_PREFIX_INJECTION", "").lower() != "true" and not ADDRESS.fullmatch(host)
        return cls(base, region, credentials, routed=routed, ca_bundle=store.ca_bundle)

    @property
    def secure(self) -> bool:
        """Whether responses travel under TLS."""
        return self.base.startswith("https://")

    def address(self, route: str) -> Address:
        """Where the response for `route` goes.

        Raises:
            ValueError: The route is no label of a host's name.
        """
        if not HOST_LABEL.fullmatch(route):
            raise ValueError(f"{route!r} is no route")
        host, slash, path = self.base.partition("://")[2].partition("/")
        return Address(f"{route}.{host}" if self.routed else host, f"{slash}{path}{PATH}")


def dns_suffix(region: str) -> str:
    """The domain of the partition that a region belongs to."""
    return next((suffix for begins, suffix in DNS_SUFFIXES.items() if region.startswith(begins)), "amazonaws.com")
