"""Our signer signs as botocore's does."""

from datetime import UTC, datetime
from unittest.mock import patch

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from object_lambda.signing import Credentials, signed

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
TIMESTAMP = "20261120T083000Z"
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12).map("x-amz-meta-{}".format)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)


def by_botocore(headers: dict[str, str], credentials: Credentials, path: str) -> str:
    request = AWSRequest("POST", f"https://{headers['Host']}{path}", headers=headers)
    request.context["payload_signing_enabled"] = False
    signer = SigV4Auth(
        BotocoreCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token),
        "s3-object-lambda",
        "eu-central-1",
    )
    with patch("botocore.auth.get_current_datetime", return_value=NOW):
        signer.add_auth(request)
    authorization: str = request.headers["Authorization"]
    return authorization


@given(metadata=st.dictionaries(names, values, max_size=5), token=st.none() | st.text("abc/+=", min_size=1, max_size=30))
def test_the_signature_is_botocore_s(metadata: dict[str, str], token: str | None) -> None:
    credentials = Credentials("AKIAEXAMPLE", "secret/key+", token)
    headers = {"Host": "io-use1-001.s3-object-lambda.eu-central-1.amazonaws.com", "Content-Length": "5", **metadata}
    ours = signed(
        list(headers.items()),
        credentials,
        method="POST",
        path="/WriteGetObjectResponse",
        service="s3-object-lambda",
        region="eu-central-1",
        timestamp=TIMESTAMP,
    )
    assert dict(ours)["Authorization"] == by_botocore(headers, credentials, "/WriteGetObjectResponse")
    assert ours[: len(headers)] == list(headers.items())
    assert dict(ours).get("x-amz-security-token") == token


def test_secrets_are_never_shown() -> None:
    shown = repr(Credentials("AKIAEXAMPLE", "the-secret", "the-token"))
    assert "AKIAEXAMPLE" in shown
    assert "the-secret" not in shown
    assert "the-token" not in shown
