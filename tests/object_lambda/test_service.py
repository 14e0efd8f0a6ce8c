"""The service by itself: what it answers, what it costs, and what happens when an archive changes under it."""

import pytest

from indexer.asks import Steps
from indexer.drivers import run, stream
from indexer.errors import ANSWERS, AccessRefused, BinderyError, IndexMissing, IndexStale, MemberDamaged, ObjectReplaced, Reason
from indexer.indexfile.reader import Index, open_index
from indexer.source.memory import MemorySource
from indexer.source.trace import Trace, TracedSource
from indexer.urls import index_url
from object_lambda.answers import ObjectAnswer
from object_lambda.mounts import Mount
from object_lambda.requests import ListRequest, ObjectRequest
from object_lambda.s3_errors import S3_ERRORS, NoSuchKey, S3Error, from_bindery
from object_lambda.wiring import ServiceSettings, new_service
from tests.object_lambda.made_archives import ARCHIVE, Clock, mount, put_archive, service_of, service_over

LARGE = bytes(range(256)) * 4096 * 20


def body_of(answer: ObjectAnswer, source: MemorySource | TracedSource) -> bytes:
    return answer.start + (b"".join(stream(answer.rest, source)) if answer.rest is not None else b"")


def wanted(key: str) -> ObjectRequest:
    return ObjectRequest("bucket", key.encode())


def test_a_short_body_is_checked_before_the_answer_begins() -> None:
    service, source = service_of({"a": b"hello"})
    answer = run(service.get(wanted("a")), source)
    assert (answer.status, answer.start, answer.rest) == (200, b"hello", None)
    archive = source.objects[ARCHIVE]
    damaged = MemorySource({**source.objects, ARCHIVE: archive.replace(b"hello", b"jello")})
    damaged.identity = MemorySource(source.objects).identity  # type: ignore[method-assign]  # the store does not notice
    service, _ = service_of({"a": b"hello"})
    with pytest.raises(MemberDamaged):
        run(service.get(wanted("a")), damaged)


def test_a_long_body_begins_with_its_first_bytes_and_runs_on() -> None:
    service, source = service_of({"a": LARGE})
    answer = run(service.get(wanted("a")), source)
    assert answer.rest is not None
    assert 0 < len(answer.start) < len(LARGE)
    assert body_of(answer, source) == LARGE


def test_a_mounted_member_bears_the_prefix_and_nothing_beside_it_is_found() -> None:
    service, source = service_of({"a": b"1", "b/": b"2"}, "bucket/logs")
    assert run(service.get(wanted("logs/a")), source).start == b"1"
    assert run(service.get(wanted("logs/b/")), source).start == b"2"
    for key in ("a", "logs", "logs/", "logs//a", "logs/b", "logsa"):
        with pytest.raises(NoSuchKey):
            run(service.head(wanted(key)), source)


def test_an_archive_that_was_replaced_is_noticed_and_read_anew() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, {"a": b"old", "b": b"old", "gone": b"x"})
    service, source = service_over(mount("bucket")), TracedSource(MemorySource(objects), Trace())
    assert run(service.get(wanted("b")), source).start == b"old"
    put_archive(objects, {"a": b"newer"})
    source.trace.clear()
    answer = run(service.get(wanted("a")), source)
    assert (answer.start, answer.head.size) == (b"newer", 5)
    # The frame of the old version is refused, then root and frame of the new one are read.
    assert [request.kind for request in source.trace.made] == ["read", "tail", "read"]
    with pytest.raises(NoSuchKey):
        run(service.get(wanted("gone")), source)


def test_an_index_that_describes_another_archive_is_never_served_from() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, {"a": b"old"})
    objects[ARCHIVE] += b"more"
    service, source = service_over(mount("bucket")), TracedSource(MemorySource(objects), Trace())
    with pytest.raises(IndexStale, match="bindery index"):
        run(service.get(wanted("a")), source)
    assert [request.kind for request in source.trace.made] == ["tail", "read", "tail", "read"]


def test_a_body_never_goes_on_in_another_version() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, {"a": LARGE})
    service, source = service_over(mount("bucket")), MemorySource(objects)
    answer = run(service.get(wanted("a")), source)
    put_archive(objects, {"a": LARGE[::-1]})
    assert answer.rest is not None
    pieces = [answer.start]
    with pytest.raises(ObjectReplaced):
        pieces.extend(stream(answer.rest, source))
    assert LARGE.startswith(b"".join(pieces))
    assert body_of(run(service.get(wanted("a")), source), source) == LARGE[::-1]


def test_a_root_is_asked_about_after_its_freshness_with_one_head() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, {"a": b"1"})
    clock = Clock()
    service, source = service_over(mount("bucket"), clock=clock, freshness_s=60), TracedSource(MemorySource(objects), Trace())
    for now_s, kinds in ((0, ["tail"]), (59, []), (60, ["head"]), (119, []), (120, ["head"])):
        clock.now_s = now_s
        source.trace.clear()
        run(service.head(wanted("a")), source)
        assert [request.kind for request in source.trace.made] == kinds
    put_archive(objects, {"b": b"2"})
    clock.now_s = 180
    source.trace.clear()
    assert [entry.key for entry in run(service.list(ListRequest("bucket")), source).entries] == [b"b"]
    assert [request.kind for request in source.trace.made] == ["head", "tail"]


def test_an_archive_without_an_index_is_missing_an_index_not_a_key() -> None:
    service = service_over(mount("bucket"))
    for steps in (service.get(wanted("a")), service.head(wanted("a")), service.list(ListRequest("bucket"))):
        with pytest.raises(IndexMissing, match="bindery index"):
            run(steps, MemorySource({ARCHIVE: b"x"}))


def test_an_index_made_on_first_touch_serves_until_the_archive_changes() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, {"a": b"1"})
    kept = "s3://cache/index"
    objects[kept] = objects.pop(index_url(ARCHIVE))
    touched: list[Mount] = []

    def first_touch(of: Mount) -> Steps[Index]:
        touched.append(of)
        return (yield from open_index(kept))

    clock = Clock()
    service = new_service([mount("bucket")], clock=clock, settings=ServiceSettings(), first_touch=first_touch)
    source = TracedSource(MemorySource(objects), Trace())
    assert run(service.get(wanted("a")), source).start == b"1"
    clock.now_s = 61
    source.trace.clear()
    run(service.head(wanted("a")), source)
    assert [(request.kind, request.url) for request in source.trace.made] == [("head", ARCHIVE)]
    assert touched == [mount("bucket")]


def test_each_of_our_errors_becomes_an_s3_error_of_the_same_status() -> None:
    kinds: dict[Reason, type[BinderyError]] = {}
    waiting = list(BinderyError.__subclasses__())
    while waiting:
        kind = waiting.pop()
        kinds[kind.reason] = kind
        waiting += kind.__subclasses__()
    assert set(kinds) == set(ANSWERS)
    for reason, answer in ANSWERS.items():
        told = from_bindery(kinds[reason]("it broke", hint="Mend it", archive="s3://secret/place"))
        assert (told.code, told.http_status) == (answer.s3_code, answer.http_status)
        assert "secret" not in told.message


def test_codes_are_unique_and_every_class_is_in_the_table() -> None:
    assert len(S3_ERRORS) == len([kind for kind in S3Error.__subclasses__() if "code" in vars(kind)])


def test_a_refusal_by_the_store_is_told_as_one() -> None:
    assert from_bindery(AccessRefused("no", hint="")).code == "AccessDenied"
