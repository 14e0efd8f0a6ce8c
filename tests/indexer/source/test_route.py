"""The scheme of a URL decides who answers, and nothing is loaded for those who are not asked."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from indexer import urls
from indexer.errors import LocationInvalid, SettingInvalid
from indexer.model import Span
from indexer.source import Source, route, route_async
from indexer.source.route import open_source
from indexer.source.route_async import open_async_source
from tests.indexer.source.contract import InLoop
from tests.servers.ministack import Bucket, Ministack

WRONG = {"AWS_ENDPOINT_URL": "nonsense"}


@pytest.fixture(params=["sync", "async"])
def opener(request: pytest.FixtureRequest) -> Any:
    """Opens either face, with the variables given."""
    if request.param == "sync":
        yield open_source
    else:
        with asyncio.Runner() as runner:
            yield lambda env: InLoop(open_async_source(env), runner)


def test_files_and_buckets_are_read_through_one_source(
    opener: Any, ministack: Ministack, s3_bucket: Bucket, tmp_path: Path
) -> None:
    source: Source = opener(ministack.env)
    s3_bucket.put("a#b", b"in a bucket")
    (tmp_path / "a#b").write_bytes(b"in a folder")
    for url, data in {f"{s3_bucket.url}/a#b": b"in a bucket", urls.parse(str(tmp_path / "a#b")): b"in a folder"}.items():
        of = source.head(url).identity
        assert source.tail(url, 99).data == data
        assert source.read(of, (Span(3, 4),)) == [data[3:4]]


def test_a_wrong_variable_of_s3_does_not_concern_files(opener: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    source: Source = opener(WRONG)
    assert source.tail(f"file://{tmp_path}/a", 9).data == b"x"
    with pytest.raises(SettingInvalid, match="AWS_ENDPOINT_URL"):
        source.head("s3://bucket/key")


def test_an_unknown_scheme_is_refused(opener: Any) -> None:
    with pytest.raises(LocationInvalid, match="s3://bucket/key"):
        opener({}).head("gopher://bucket/key")


def test_every_scheme_that_is_spelled_can_be_opened() -> None:
    assert set(route.OPENERS) == set(route_async.OPENERS) == {urls.FILE, *urls.STORE_SCHEMES}


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh Python has loaded after running `code`."""
    program = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    return set(json.loads(ran.stdout))


HEAVY = {"asyncio", "boto3", "botocore", "concurrent.futures", "logging", "pathlib", "socket", "threading", "urllib.request"}


def test_reading_files_loads_no_client_and_no_loop() -> None:
    assert not loaded_by("from indexer.source.route import open_source; import indexer.drivers; open_source({})") & {
        *HEAVY,
        "obstore",
    }


def test_reading_s3_loads_obstore_and_nothing_heavy() -> None:
    loaded = loaded_by(
        "from indexer.source.settings import StoreSettings\n"
        "from indexer.source.connect import Stores\n"
        "from indexer.source.store import StoreSource\n"
        "import indexer.drivers\n"
        "env = {'AWS_ACCESS_KEY_ID': 'a', 'AWS_SECRET_ACCESS_KEY': 's', 'AWS_ENDPOINT_URL': 'http://127.0.0.1:9'}\n"
        "stores = Stores(StoreSettings.read(env)); stores.bucket('bucket'); StoreSource(stores)\n"
    )
    assert "obstore" in loaded
    assert not loaded & HEAVY
