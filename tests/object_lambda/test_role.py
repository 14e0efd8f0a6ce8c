"""In whose name live requests are signed."""

import asyncio
from pathlib import Path

import pytest

from indexer.errors import AccessRefused, SettingInvalid
from indexer.source.settings import StoreSettings
from object_lambda.role import Role
from object_lambda.signing import Credentials


def credentials(role: Role) -> Credentials | None:
    async def twice() -> Credentials | None:
        assert await role.credentials() == await role.credentials()
        return await role.credentials()

    return asyncio.run(twice())


def test_keys_of_the_environment_are_used_as_they_are() -> None:
    settings = StoreSettings.read({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"})
    assert credentials(Role(settings)) == Credentials("a", "b", "c")


def test_a_public_bucket_is_asked_unsigned() -> None:
    assert credentials(Role(StoreSettings(unsigned=True, access_key_id="a", secret_access_key="b"))) is None


def test_a_profile_gives_keys_and_region(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile logs]\nregion = eu-north-1\naws_access_key_id = p\naws_secret_access_key = q\n")
    role = Role(StoreSettings.read({"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": "logs", "HOME": str(tmp_path)}))
    assert (credentials(role), role.region) == (Credentials("p", "q"), "eu-north-1")


def test_a_profile_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="profile"):
        Role(StoreSettings.read({"AWS_PROFILE": "absent", "HOME": str(tmp_path)}))


def test_no_credentials_at_all_are_told_at_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(AccessRefused, match="no AWS credentials"):
        Role(StoreSettings.read({"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}))
