"""The promises of the read path, as exact counts of dependent requests: what is known before the call decides what it costs."""

import random
from collections.abc import Callable

import pytest

from indexer.drivers import run
from indexer.limits import TAIL_BYTES
from indexer.source.memory import MemorySource
from indexer.source.trace import Trace, TracedSource
from indexer.urls import index_url
from object_lambda.requests import ListRequest, ObjectRequest
from object_lambda.s3_errors import NoSuchKey
from object_lambda.service import Service
from tests.object_lambda.made_archives import ARCHIVE, Made, mount, put_archive, service_over

MEMBERS = 10_000
RANDOM = random.Random(7)
NAMES = sorted(f"2024/03/{RANDOM.randrange(1, 29):02}/app-{RANDOM.getrandbits(64):016x}.log" for _ in range(MEMBERS))
FIRST, SECOND, FAR = NAMES[0], NAMES[1], NAMES[MEMBERS // 4]
"""Two of one page, and one of another page; neither lies in the tail that the first read brings."""


@pytest.fixture(scope="module")
def objects() -> dict[str, bytes]:
    """An archive whose index is larger than the first read."""
    made: dict[str, bytes] = {}
    contents = {name: Made(b"%d" % number, etag=f"{RANDOM.getrandbits(128):032x}") for number, name in enumerate(NAMES)}
    put_archive(made, contents)
    assert len(made[index_url(ARCHIVE)]) > 2 * TAIL_BYTES
    return made


class Shop:
    """A service with nothing known, and the trace of what it costs."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.trace = Trace()
        self.source = TracedSource(MemorySource(objects), self.trace)
        self.service: Service = service_over(mount("bucket"))

    def get(self, name: str) -> list[str]:
        return self._kinds(lambda: run(self.service.get(ObjectRequest("bucket", name.encode())), self.source))

    def head(self, name: str) -> list[str]:
        return self._kinds(lambda: run(self.service.head(ObjectRequest("bucket", name.encode())), self.source))

    def page(self, request: ListRequest) -> list[str]:
        return self._kinds(lambda: run(self.service.list(request), self.source))

    def _kinds(self, call: Callable[[], object]) -> list[str]:
        """What each dependent step of a call asked for; every step is one request here."""
        self.trace.clear()
        call()
        assert self.trace.depth == self.trace.requests
        return [f"{request.kind} {request.url.removeprefix(ARCHIVE) or 'archive'}" for request in self.trace.made]


ROOT, PAGE, FRAME = "tail .bindery", "read .bindery", "read archive"


def test_a_get_costs_root_page_and_frame_as_far_as_they_are_not_known(objects: dict[str, bytes]) -> None:
    shop = Shop(objects)
    assert shop.get(FIRST) == [ROOT, PAGE, FRAME]
    assert shop.get(FAR) == [PAGE, FRAME]
    assert shop.get(SECOND) == [FRAME]
    assert shop.get(FIRST) == shop.get(SECOND) == shop.get(FAR) == []


def test_a_head_costs_root_and_page_as_far_as_they_are_not_known(objects: dict[str, bytes]) -> None:
    shop = Shop(objects)
    assert shop.head(FIRST) == [ROOT, PAGE]
    assert shop.head(FAR) == [PAGE]
    assert shop.head(SECOND) == shop.head(FIRST) == []


def test_a_page_of_a_thousand_keys_costs_one_request_beyond_the_root(objects: dict[str, bytes]) -> None:
    shop = Shop(objects)
    request = ListRequest("bucket")
    assert shop.page(request) == [ROOT, PAGE]
    assert shop.page(request) == []
    assert shop.page(ListRequest("bucket", after=NAMES[3_000].encode())) == [PAGE]
    assert shop.page(ListRequest("bucket", prefix=b"2024/03/15/", delimiter=b"/")) == [PAGE]


def test_a_listing_makes_a_get_within_it_cost_its_frame(objects: dict[str, bytes]) -> None:
    shop = Shop(objects)
    shop.page(ListRequest("bucket"))
    assert shop.get(FIRST) == [FRAME]


def test_an_absent_key_costs_no_more_than_a_head(objects: dict[str, bytes]) -> None:
    shop = Shop(objects)
    with pytest.raises(NoSuchKey):
        shop.head("2024/03/01/absent")
    assert shop.trace.depth == 2


def test_an_index_that_fits_the_first_read_needs_no_page() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, dict.fromkeys(NAMES[:1_000], b"x"))
    assert Shop(objects).get(FIRST) == [ROOT, FRAME]
    assert Shop(objects).head(FIRST) == [ROOT]
    assert Shop(objects).page(ListRequest("bucket")) == [ROOT]


def test_a_mount_that_is_not_asked_costs_nothing(objects: dict[str, bytes]) -> None:
    shop = Shop(objects)
    shop.service = service_over(mount("bucket/a"), *(mount(f"bucket/b{number}", "s3://archives/absent") for number in range(1_000)))
    assert shop.get(f"a/{FIRST}") == [ROOT, PAGE, FRAME]
    assert shop.page(ListRequest("bucket", prefix=b"a/")) == [PAGE]
    assert shop.page(ListRequest("bucket", delimiter=b"/")) == []
