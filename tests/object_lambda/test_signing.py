"""Our signer signs as botocore's does."""

from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, SigV4Auth
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


@given(parameters=st.dictionaries(st.sampled_from(["delimiter", "list-type", "prefix", "start-after"]), st.text(max_size=5)))
def test_a_query_and_an_odd_path_are_signed_as_botocore_signs_them_for_s3(parameters: dict[str, str]) -> None:
    credentials = Credentials("AKIAEXAMPLE", "secret/key+", None)
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(parameters.items()))
    path = "/live/a//b/./c%20d%2Be"
    request = AWSRequest("GET", f"https://s3.eu-central-1.amazonaws.com{path}?{query}", {"Host": "s3.eu-central-1.amazonaws.com"})
    with patch("botocore.auth.get_current_datetime", return_value=NOW):
        S3SigV4Auth(BotocoreCredentials("AKIAEXAMPLE", "secret/key+"), "s3", "eu-central-1").add_auth(request)
    ours = signed(
        [("Host", "s3.eu-central-1.amazonaws.com")],
        credentials,
        method="GET",
        path=path,
        service="s3",
        region="eu-central-1",
        timestamp=TIMESTAMP,
        query=query,
        payload=request.headers["X-Amz-Content-SHA256"],
    )
    assert dict(ours)["Authorization"] == request.headers["Authorization"]


def test_secrets_are_never_shown() -> None:
    shown = repr(Credentials("AKIAEXAMPLE", "the-secret", "the-token"))
    assert "AKIAEXAMPLE" in shown
    assert "the-secret" not in shown
    assert "the-token" not in shown
