"""What docs/semantics.md claims about the entries of a listing."""

import pytest

from indexer.drivers import run
from object_lambda.requests import ListRequest
from object_lambda.xml import list_document
from tests.object_lambda.made_archives import service_of


@pytest.mark.parametrize("version", [1, 2])
def test_every_entry_is_of_the_standard_class_wherever_its_archive_lies(version: int) -> None:
    service, source = service_of({"a": b"1", "b": b"2"})
    document = list_document(run(service.list(ListRequest("bucket", version)), source))
    assert document.count(b"<Contents>") == document.count(b"<StorageClass>STANDARD</StorageClass></Contents>") == 2
