"""How to reach an object store, read once from the usual AWS variables."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from indexer.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_REGION: Final = "us-east-1"
"""What AWS's own clients sign for when no region is set and the endpoint is not theirs."""

PASSED_ON: Final = {
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "container_authorization_token_file",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "container_credentials_full_uri",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "container_credentials_relative_uri",
    "AWS_ROLE_ARN": "role_arn",
    "AWS_ROLE_SESSION_NAME": "role_session_name",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "web_identity_token_file",
}
"""Variables of roles in containers and clusters, for which obstore fetches and renews credentials itself, by its option."""

_SENT_IN_HEADERS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION")
_GIVES_A_ROLE = ("container_credentials_full_uri", "container_credentials_relative_uri", "web_identity_token_file")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[!-~]*)?|https?://\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?(/[!-~]*)?")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How to reach S3, or what speaks its language.

    Args:
        endpoint: Base URL of another store than AWS's; None for AWS.
        region: What requests are signed for; None when no variable tells (then a profile may, else `DEFAULT_REGION`).
        access_key_id: With the two that follow, fixed credentials.
        secret_access_key: Never shown.
        session_token: Never shown; goes with temporary credentials.
        role: obstore's options for the role of a container or a cluster.
        profile: The named profile; None for the default one.
        profile_files: The files of profiles that exist (`config_file`, `credentials_file`), by botocore's name for them.
        instance_metadata: Whether the machine may be asked for credentials when there are no others.
        unsigned: Send no credentials at all, for public buckets.
        ca_bundle: A file of certificates to trust beside the system's.
    """

    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    role: tuple[tuple[str, str], ...] = ()
    profile: str | None = None
    profile_files: tuple[tuple[str, str], ...] = ()
    instance_metadata: bool = True
    unsigned: bool = False
    ca_bundle: str | None = None

    @property
    def has_role(self) -> bool:
        """Whether the surroundings of this process give it a role."""
        return any(option in _GIVES_A_ROLE for option, _ in self.role)

    @classmethod
    def read(cls, env: Mapping[str, str]) -> StoreSettings:
        """Read the AWS variables from `env`; an empty variable counts as unset, as for AWS's own clients.

        Raises:
            SettingInvalid: Some cannot work; all of them are told.
        """
        given = {name: value for name, value in env.items() if name.startswith("AWS_") and value}
        endpoint = given.get("AWS_ENDPOINT_URL_S3") or given.get("AWS_ENDPOINT_URL")
        access_key_id, secret_access_key = given.get("AWS_ACCESS_KEY_ID"), given.get("AWS_SECRET_ACCESS_KEY")
        ca_bundle = given.get("AWS_CA_BUNDLE")
        problems: dict[str, str] = {}
        if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
            problems["AWS_ENDPOINT_URL"] = f"{endpoint!r} is not a URL such as https://host:port"
        pair = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret_access_key}
        if len([half for half in pair.values() if half is None]) == 1:
            problems |= {name: "is missing beside its other half" for name, half in pair.items() if half is None}
        problems |= {
            name: "holds a space, a line break or another character that no such value has"
            for name in _SENT_IN_HEADERS
            if not all("!" <= char <= "~" for char in given.get(name, ""))
        }
        if ca_bundle is not None and not os.path.isfile(ca_bundle):  # noqa: PTH113 - pathlib costs 4 ms of every cold start
            problems["AWS_CA_BUNDLE"] = f"{ca_bundle!r} is not a file"
        if problems:
            raise SettingInvalid(
                "; ".join(f"{name} {problem}" for name, problem in problems.items()),
                hint="Set or unset these variables",
                setting=", ".join(problems),
            )
        return cls(
            endpoint=endpoint.rstrip("/") if endpoint else None,
            region=given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION"),
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=given.get("AWS_SESSION_TOKEN"),
            role=tuple((option, given[name]) for name, option in PASSED_ON.items() if name in given),
            profile=given.get("AWS_PROFILE"),
            profile_files=_profile_files(env),
            instance_metadata=given.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true",
            unsigned=given.get("AWS_SKIP_SIGNATURE", "").lower() == "true",
            ca_bundle=ca_bundle,
        )


def _profile_files(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The files of profiles that are there."""
    home = env.get("HOME", "/")
    places = {
        "config_file": env.get("AWS_CONFIG_FILE") or f"{home}/.aws/config",
        "credentials_file": env.get("AWS_SHARED_CREDENTIALS_FILE") or f"{home}/.aws/credentials",
    }
    return tuple((what, place) for what, place in places.items() if os.path.isfile(place))  # noqa: PTH113 - as above
