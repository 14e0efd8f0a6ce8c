"""What docs/semantics.md claims about ETags that are made because the archive tells none."""

from indexer.drivers import run
from indexer.source.memory import MemorySource
from object_lambda.requests import ObjectRequest
from object_lambda.service import Service
from tests.object_lambda.made_archives import mount, put_archive, service_over

CONTENTS = {"a": b"one", "b": b"one", "c": b"two"}


def etags(service: Service, objects: dict[str, bytes], prefix: str) -> list[str]:
    source = MemorySource(objects)
    return [run(service.head(ObjectRequest("bucket", f"{prefix}{name}".encode())), source).head.etag for name in CONTENTS]


def test_a_made_etag_stands_for_one_member_of_one_version() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, CONTENTS)
    first = etags(service_over(mount("bucket")), objects, "")
    assert len(set(first)) == len(CONTENTS)
    assert etags(service_over(mount("bucket/elsewhere")), objects, "elsewhere/") == first
    put_archive(objects, CONTENTS | {"d": b"another"})
    assert not set(first) & set(etags(service_over(mount("bucket")), objects, ""))
