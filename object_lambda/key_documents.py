"""Where the gateway's keys come from: a file, a variable, a secret in AWS Secrets Manager."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from indexer.errors import SettingInvalid
from object_lambda.keyring import Keyring, parse_keys

VARIABLE: Final = "BINDERY_ACCESS_KEYS"
SECRETS_MANAGER: Final = "secretsmanager:"
HINT: Final = f"Name a file, or {SECRETS_MANAGER}NAME for a secret of AWS Secrets Manager"
DOCUMENT_BYTES_MOST: Final = 1 << 20
"""Of a file of keys; a thousand keys take some 100 KiB."""

FetchSecret = Callable[[str], str]


def fetch_secret(secret_id: str) -> str:
    """The text of a secret, by its name or ARN, with the credentials of this process.

    Raises:
        SettingInvalid: It cannot be had.
    """
    import boto3  # noqa: PLC0415 - 185 ms that no one pays whose keys lie elsewhere
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    region = secret_id.split(":")[3] if secret_id.startswith("arn:") and secret_id.count(":") > 4 else None
    try:
        answer = boto3.session.Session().client("secretsmanager", region_name=region).get_secret_value(SecretId=secret_id)
    except ClientError as error:
        raise _unreadable(secret_id, error.response["Error"]["Code"]) from None
    except BotoCoreError as error:
        raise _unreadable(secret_id, str(error)) from None
    if "SecretString" not in answer:
        raise _unreadable(secret_id, "it is binary")
    text: str = answer["SecretString"]
    return text


def _unreadable(secret_id: str, reason: str) -> SettingInvalid:
    hint = "The process needs secretsmanager:GetSecretValue on it, and a region"
    return SettingInvalid(f"the secret cannot be read: {reason}", hint=hint, setting=f"{SECRETS_MANAGER}{secret_id}")


def keys_at(place: str, *, fetch: FetchSecret = fetch_secret) -> Keyring:
    """Read the keys that lie at a place.

    Args:
        place: A file, or `secretsmanager:` and the name or ARN of a secret.
        fetch: Gets the text of a secret.

    Raises:
        SettingInvalid: They cannot be read, or cannot work.
    """
    if place.startswith(SECRETS_MANAGER):
        return parse_keys(fetch(place.removeprefix(SECRETS_MANAGER)), place=place)
    try:
        with Path(place).open(encoding="utf-8") as file:
            document = file.read(DOCUMENT_BYTES_MOST + 1)
    except UnicodeDecodeError:
        raise SettingInvalid("the file of keys is not UTF-8", hint=HINT, setting=place) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no path"
        raise SettingInvalid(f"the file of keys cannot be read: {reason}", hint=HINT, setting=place) from None
    if len(document) > DOCUMENT_BYTES_MOST:
        raise SettingInvalid(f"the file of keys is larger than {DOCUMENT_BYTES_MOST} bytes", hint=HINT, setting=place)
    return parse_keys(document, place=place)


def keys_in(env: Mapping[str, str], *, fetch: FetchSecret = fetch_secret) -> Keyring | None:
    """Read the keys that `BINDERY_ACCESS_KEYS` holds (the document itself) or names (a place); None when it is not set.

    Raises:
        SettingInvalid: As `keys_at`.
    """
    text = env.get(VARIABLE, "").strip()
    if not text:
        return None
    return parse_keys(text, place=VARIABLE) if text.startswith("{") else keys_at(text, fetch=fetch)
