"""What every test stands on: the servers, and an environment that names no account and no machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No wall-clock limit: a loaded machine is no failure. derandomize: the same code gets the same answer from CI; new
# counterexamples are looked for with HYPOTHESIS_PROFILE=search.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

pytest_plugins = [
    "tests.servers.ministack",
    "tests.servers.nginx",
    "tests.servers.object_lambda",
]


@pytest.fixture(scope="session", autouse=True)
def neutral_environment() -> Iterator[None]:
    """No variable of the developer's shell decides a test: account, certificate bundle, proxy, metadata service."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "S3ARCHIVEFS_", "BINDERY_")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where servers keep configuration and logs; pytest keeps it when a test failed."""
    return tmp_path_factory.mktemp("servers")
