"""In whose name the gateway signs live requests: fixed keys, or the role of a container, a cluster, a profile or a machine."""

from __future__ import annotations

import asyncio
from typing import Final

from indexer.errors import AccessRefused, SettingInvalid
from indexer.source.settings import StoreSettings
from object_lambda.signing import Credentials

ASKED_AGAIN_S: Final = 60.0
"""How long credentials are used before botocore is asked again, which renews those that end within 10 to 15 minutes."""


class Role:
    """Gives credentials.

    Where no keys are set, botocore looks for some, in the order of AWS's own clients; it is loaded only then (90 ms).

    Args:
        settings: Of the store.

    Raises:
        SettingInvalid: The profile cannot be used.
        AccessRefused: There are no credentials.

    Attributes:
        region: What a profile says; None where nothing does.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.region: str | None = None
        self._fixed: Credentials | None = None
        self._session = None
        self._asked_at_s: float | None = None
        if settings.unsigned:
            return
        if settings.access_key_id is not None and settings.secret_access_key is not None:
            self._fixed = Credentials(settings.access_key_id, settings.secret_access_key, settings.session_token)
            return
        import botocore.session  # noqa: PLC0415 - as above
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        session = botocore.session.Session(profile=settings.profile)
        for variable, place in settings.profile_files:
            session.set_config_variable(variable, place)
        try:
            found = session.get_credentials()
            self.region = session.get_config_variable("region")
        except BotoCoreError as error:
            hint = "Check AWS_PROFILE and the files in ~/.aws"
            raise SettingInvalid(f"the AWS profile cannot be used: {error}", hint=hint) from error
        if found is None:
            raise AccessRefused(
                "no AWS credentials are set", hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            )
        self._session = found

    async def credentials(self) -> Credentials | None:
        """What to sign with now; None to send requests unsigned. A renewal does not hold up the event loop."""
        if self._session is None:
            return self._fixed
        now_s = asyncio.get_running_loop().time()
        if self._asked_at_s is None or now_s - self._asked_at_s >= ASKED_AGAIN_S:
            frozen = await asyncio.to_thread(self._session.get_frozen_credentials)
            self._fixed = Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token)
            self._asked_at_s = now_s
        return self._fixed
