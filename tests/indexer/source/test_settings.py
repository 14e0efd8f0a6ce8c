"""The AWS variables are read once, and every problem is told at once."""

from pathlib import Path

import pytest

from indexer.errors import AccessRefused, SettingInvalid
from indexer.source.connect import Stores
from indexer.source.settings import StoreSettings
from indexer.source.store import StoreSource
from tests.servers.http import Reply, scripted

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
HEAD = Reply(200, {"ETag": '"abc"', "Last-Modified": "Fri, 20 Nov 2026 08:28:50 GMT"}, length=10)


def test_all_problems_are_told_together() -> None:
    env = {"AWS_ENDPOINT_URL": "localhost:9000", "AWS_ACCESS_KEY_ID": "a", "AWS_CA_BUNDLE": "/nowhere"}
    with pytest.raises(SettingInvalid) as raised:
        StoreSettings.read(env)
    assert raised.value.facts["setting"] == "AWS_ENDPOINT_URL, AWS_SECRET_ACCESS_KEY, AWS_CA_BUNDLE"


@pytest.mark.parametrize("lone", KEYS)
def test_half_a_pair_of_keys_is_refused(lone: str) -> None:
    with pytest.raises(SettingInvalid, match="other half"):
        StoreSettings.read({lone: KEYS[lone]})


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "https://s3.example.org/base/", "http://[::1]:80", "https://host_1"])
def test_endpoints_that_work(endpoint: str) -> None:
    assert StoreSettings.read({"AWS_ENDPOINT_URL": endpoint}).endpoint == endpoint.rstrip("/")


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:9000", "ftp://host", "http://", "http://host:port", "http://ho st", "http://host/a b"]
)
def test_endpoints_that_cannot_work(endpoint: str) -> None:
    with pytest.raises(SettingInvalid, match="AWS_ENDPOINT_URL"):
        StoreSettings.read({"AWS_ENDPOINT_URL": endpoint})


def test_the_endpoint_of_s3_goes_before_the_general_one() -> None:
    env = {"AWS_ENDPOINT_URL": "http://general", "AWS_ENDPOINT_URL_S3": "http://s3"}
    assert StoreSettings.read(env).endpoint == "http://s3"


def test_the_region_goes_before_the_default_region_and_an_empty_variable_is_none() -> None:
    assert StoreSettings.read({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-west-2"}).region == "eu-west-1"
    assert StoreSettings.read({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"}).region == "us-west-2"


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"])
def test_a_line_break_that_came_along_is_told_and_the_value_is_not(name: str) -> None:
    with pytest.raises(SettingInvalid, match="line break") as raised:
        StoreSettings.read({**KEYS, name: "value\n"})
    assert raised.value.facts["setting"] == name
    assert "value\n" not in str(raised.value)


def test_secrets_are_never_shown() -> None:
    settings = StoreSettings.read({**KEYS, "AWS_SESSION_TOKEN": "token-of-session"})
    shown = repr(settings)
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in shown
    assert "token-of-session" not in shown


def test_requests_are_signed_with_the_variables() -> None:
    with scripted(HEAD) as server:
        env = {**KEYS, "AWS_SESSION_TOKEN": "token-of-session", "AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": server.endpoint}
        StoreSource(Stores(StoreSettings.read(env))).head("s3://bucket/a b#?%")
        (seen,) = server.seen
    assert seen.path == "/bucket/a%20b%23%3F%25"
    assert "Credential=AKIDEXAMPLE/" in seen.headers["authorization"]
    assert "/eu-central-1/s3/aws4_request" in seen.headers["authorization"]
    assert seen.headers["x-amz-security-token"] == "token-of-session"
    assert seen.headers["user-agent"] == "bindery"


def test_an_unsigned_request_carries_no_credentials() -> None:
    with scripted(HEAD) as server:
        env = {**KEYS, "AWS_SKIP_SIGNATURE": "true", "AWS_ENDPOINT_URL": server.endpoint}
        StoreSource(Stores(StoreSettings.read(env))).head("s3://bucket/key")
        assert "authorization" not in server.seen[0].headers


def test_without_credentials_and_without_a_machine_to_ask_nothing_is_sent() -> None:
    with scripted(HEAD) as server:
        settings = StoreSettings.read(
            {"AWS_ENDPOINT_URL": server.endpoint, "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nowhere"}
        )
        with pytest.raises(AccessRefused, match="AWS_ACCESS_KEY_ID"):
            StoreSource(Stores(settings)).head("s3://bucket/key")
        assert server.seen == []


def test_a_container_role_is_fetched_from_its_address(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token-of-container")
    role = b'{"AccessKeyId":"AKIDOFROLE","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}'
    with scripted(Reply(200, {"Content-Type": "application/json"}, role)) as container, scripted(HEAD) as server:
        env = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{container.endpoint}/role",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ENDPOINT_URL": server.endpoint,
        }
        StoreSource(Stores(StoreSettings.read(env))).head("s3://bucket/key")
        assert "Credential=AKIDOFROLE/" in server.seen[0].headers["authorization"]
        assert (container.seen[0].path, container.seen[0].headers["authorization"]) == ("/role", "token-of-container")


@pytest.fixture
def profiles(tmp_path: Path) -> dict[str, str]:
    """A credentials and a configuration file."""
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = s\n")
    (tmp_path / "config").write_text(
        "[profile second]\nregion = eu-north-1\naws_access_key_id = AKIDSECOND\naws_secret_access_key = s\n"
    )
    return {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_CONFIG_FILE": str(tmp_path / "config")}


@pytest.mark.parametrize(
    ("chosen", "scope"), [({}, "AKIDDEFAULT/"), ({"AWS_PROFILE": "second"}, "AKIDSECOND/"), (KEYS, "AKIDEXAMPLE/")]
)
def test_a_profile_is_read_when_no_keys_are_set(profiles: dict[str, str], chosen: dict[str, str], scope: str) -> None:
    with scripted(HEAD) as server:
        settings = StoreSettings.read({**profiles, **chosen, "AWS_ENDPOINT_URL": server.endpoint})
        StoreSource(Stores(settings)).head("s3://bucket/key")
        assert f"Credential={scope}" in server.seen[0].headers["authorization"]
        assert ("/eu-north-1/" in server.seen[0].headers["authorization"]) == ("AWS_PROFILE" in chosen)


def test_a_profile_that_is_not_there_is_told(profiles: dict[str, str]) -> None:
    settings = StoreSettings.read({**profiles, "AWS_PROFILE": "third", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    with pytest.raises(SettingInvalid, match="third"):
        Stores(settings).bucket("bucket")


def test_certificates_that_are_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "bundle.pem").write_text("-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n")
    settings = StoreSettings.read({**KEYS, "AWS_CA_BUNDLE": str(tmp_path / "bundle.pem")})
    with pytest.raises(SettingInvalid, match="AWS_CA_BUNDLE"):
        Stores(settings).bucket("bucket")


def test_a_client_is_made_once_for_each_bucket() -> None:
    stores = Stores(StoreSettings.read({**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}))
    assert stores.bucket("one") is stores.bucket("one")
    assert stores.bucket("one") is not stores.bucket("two")


@pytest.mark.parametrize(("bucket", "virtual"), [("plain", True), ("with.dot", False)])
def test_aws_is_addressed_by_host_unless_its_certificate_would_not_match(bucket: str, virtual: bool) -> None:
    store = Stores(StoreSettings.read(KEYS)).bucket(bucket)
    assert store.config.get("virtual_hosted_style_request") in (virtual, str(virtual).lower())
