"""Bindery's function passes every case; functions with one fault each do not pass; the cases are what they seem."""

import itertools
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from indexer.build import build_index
from indexer.source.route import open_source
from indexer.urls import index_url
from object_lambda.olap import open_door
from tests.conformance.events import EVENTS, made, reply_of, stored
from tests.conformance.function import Event, Function, environment, remote
from tests.conformance.receiver import Receiver, receiving
from tests.conformance.suite import CONTENTS, Case, Suite, cases

ROOT = Path(__file__).parents[2]
CASES = cases()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a function that serves the contents out of a zip."""
    folder = tmp_path_factory.mktemp("conformance")
    archive = folder / "contents.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for key, text in CONTENTS.items():
            packed.writestr(zipfile.ZipInfo(key, (2026, 1, 2, 3, 4, 6)), text)
    with Path(index_url(str(archive))).open("wb") as index:
        build_index(archive.as_uri(), open_source({}), index.write, scratch=folder)
    return {"S3ARCHIVEFS_PREFIX_VMAP1": f"/|{archive.as_uri()}", "S3ARCHIVEFS_CACHE_DIR": str(folder / "cache")}


@pytest.fixture(scope="module")
def receiver() -> Iterator[tuple[Receiver, str]]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def function(served: Mapping[str, str], receiver: tuple[Receiver, str]) -> Function:
    """Bindery's door as `object_lambda.olap` makes it."""
    reports: list[str] = []
    return open_door({**served, **environment(receiver[1])}, report=reports.append).handle


@pytest.fixture(scope="module")
def suite(function: Function, receiver: tuple[Receiver, str]) -> Suite:
    return Suite(function, receiver[0])


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_binderys_function_conforms(case: Case, suite: Suite) -> None:
    assert suite.problems(case) == []


def test_the_command_runs_every_case_against_a_handler(served: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "tests.conformance", "--handler", "object_lambda.olap:handler"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **served}, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, f"{len(CASES)} of {len(CASES)} cases passed\n"), done.stderr


def test_a_function_behind_a_url_is_run_alike(function: Function, receiver: tuple[Receiver, str]) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            result = function(event) if reply_of(event) else {"errorType": "Unwell", "errorMessage": "today"}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(result).encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        suite = Suite(remote(f"http://127.0.0.1:{server.server_address[1]}/invoke"), receiver[0])
        gets, heads = ([case for case in CASES if case.group == group] for group in ("get", "head"))
        assert [problem for case in gets for problem in suite.problems(case)] == []
        assert "the function raised RuntimeError: Unwell: today" in suite.problems(heads[0])
        server.shutdown()
        thread.join()


def test_the_package_needs_nothing_but_the_standard_library() -> None:
    script = "import sys, tests.conformance.suite; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    roots = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert roots - sys.stdlib_module_names <= {"__main__", "tests"}


def without_user_headers(event: Event) -> Event:
    return {**event, "userRequest": {**event.get("userRequest", {}), "headers": {}}}


def without_user_query(event: Event) -> Event:
    user = event.get("userRequest", {})
    return {**event, "userRequest": {**user, "url": user.get("url", "").partition("?")[0]}}


def changed_result(change: Callable[[Any], Any]) -> Callable[[Function], Function]:
    return lambda function: lambda event: change(function(event))


def changed_document(old: str, new: str) -> Callable[[Function], Function]:
    def change(result: Any) -> Any:
        return {**result, "listResultXml": result["listResultXml"].replace(old, new)} if "listResultXml" in result else result

    return changed_result(change)


def raises(event: Event) -> Any:
    raise RuntimeError("no")


FAULTS: dict[str, tuple[Callable[[Function], Function], str]] = {
    "ignores the caller's headers": (lambda function: lambda event: function(without_user_headers(event)), "a range: one byte"),
    "ignores the caller's parameters": (lambda function: lambda event: function(without_user_query(event)), "a range may be a"),
    "raises": (lambda function: raises, "an object is answered whole"),
    "answers twice": (lambda function: lambda event: (function(event), function(event))[0], "an object is answered whole"),
    "does not answer": (lambda function: lambda event: {"status_code": 200}, "an object is answered whole"),
    "returns nothing": (changed_result(lambda result: None), "HEAD tells what GET tells"),
    "has no length in HEAD": (changed_result(lambda result: {**result, "headers": {}}), "HEAD of an empty object"),
    "lists with both forms": (changed_result(lambda result: {**result, "listBucketResult": {}}), "everything is listed"),
    "lists no XML": (changed_result(lambda result: {**result, "listResultXml": "<a>"}), "everything is listed"),
    "lists an error": (
        changed_result(lambda result: {**result, "listResultXml": "<Error><Code>SlowDown</Code></Error>"}),
        "everything is listed",
    ),
    "lists other sizes": (changed_document("<Size>10<", "<Size>11<"), "sizes and ETags"),
    "never ends": (changed_document("<IsTruncated>false", "<IsTruncated>true"), "everything is listed"),
    "encodes nothing": (changed_document("%E6%97%A5", "日"), "encoding-type=url encodes UTF-8"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_function_with_a_fault_is_found_out(fault: str, function: Function, receiver: tuple[Receiver, str]) -> None:
    wrap, claim = FAULTS[fault]
    suite = Suite(wrap(function), receiver[0])
    judged = [case for case in CASES if claim in case.told["claim"]]
    assert judged
    assert all(suite.problems(case) for case in judged)


def test_a_listing_by_fields_is_judged_as_one_by_document(receiver: tuple[Receiver, str]) -> None:
    contents = [{"key": key, "size": len(text), "eTag": '"e"', "lastModified": "2026"} for key, text in sorted(CONTENTS.items())]
    fields = {"name": "olap", "maxKeys": 1000, "keyCount": len(contents), "isTruncated": False, "contents": contents}
    suite = Suite(lambda event: {"statusCode": 200, "listBucketResult": fields}, receiver[0])
    (case,) = (case for case in CASES if case.group == "list_v2" and case.number == 1)
    assert suite.problems(case) == []
    fields["keyCount"] = 3
    assert suite.problems(case) == ["KeyCount counts keys and prefixes"]


def test_every_event_of_the_folder_is_a_case() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == {case.told["event"] for case in CASES if "event" in case.told}


def test_the_page_tells_how_many_cases_there_are() -> None:
    page = (ROOT / "tests" / "conformance" / "README.md").read_text()
    assert re.findall(r"^(\d+) cases", page, re.MULTILINE) == [str(len(CASES))]


def test_no_two_cases_of_a_file_claim_the_same() -> None:
    claims = [(case.group, case.told["claim"]) for case in CASES]
    assert len(set(claims)) == len(claims)
    assert {case.operation for case in CASES} == {"get", "head", "list_v1", "list_v2"}


@pytest.mark.parametrize(("operation", "context"), [("get", "getObjectContext"), ("list_v2", "listObjectsV2Context")])
def test_a_made_event_is_shaped_like_the_one_it_is_made_of(operation: str, context: str) -> None:
    event = made(operation, "" if operation == "list_v2" else "a b%", {"prefix": "p&"}, {"Range": "bytes=0-"})
    assert event.keys() == stored(operation).keys()
    assert event["userRequest"]["headers"]["Range"] == "bytes=0-"
    assert ("prefix=p%26" in event[context]["inputS3Url"]) == (operation == "list_v2")
    assert (reply_of(event) is None) == (operation == "list_v2")


def test_every_event_has_a_token_of_its_own() -> None:
    tokens = [reply_of(stored("get")) for _ in range(3)]
    assert all(one != other for one, other in itertools.combinations(tokens, 2))
