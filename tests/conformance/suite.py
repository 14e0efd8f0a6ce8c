"""The cases, and how one is run: event, answer, what is wrong with it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from tests.conformance.answers import Answer, of_head, of_listing, of_response
from tests.conformance.events import ORIGIN, made, reply_of, stored
from tests.conformance.function import Event, Function
from tests.conformance.receiver import Receiver

FOLDER: Final = Path(__file__).parent
CASES: Final = FOLDER / "cases"
CONTENTS: Final[dict[str, str]] = json.loads((FOLDER / "contents.json").read_text())
PAGES_MOST: Final = 100


@dataclass(frozen=True)
class Case:
    """One case of a file of cases (README.md has the fields).

    Args:
        group: The file's name.
        number: Its place in the file, from 1.
        told: As the file has it.
    """

    group: str
    number: int
    told: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What it claims, and where it is."""
        return f"{self.group} {self.number}: {self.told['claim']}"

    @property
    def operation(self) -> str:
        operation: str = self.told.get("operation", self.group)
        return operation


def cases() -> list[Case]:
    """All of them, in the order of their files."""
    files = sorted(CASES.glob("*.json"))
    return [Case(path.stem, number, told) for path in files for number, told in enumerate(json.loads(path.read_text()), 1)]


class Suite:
    """Runs cases against one function, which must serve `contents.json`."""

    def __init__(self, function: Function, receiver: Receiver, *, origin: str = ORIGIN) -> None:
        self._function = function
        self._receiver = receiver
        self._origin = origin

    def problems(self, case: Case) -> list[str]:
        """What is wrong; nothing when the function conforms."""
        expect: Mapping[str, Any] = case.told["expect"]
        if "pages" in expect:
            return list(self._paging(case, expect["pages"]))
        answer = self._answer(case)
        return [*answer.broken, *self._compared(case, expect, answer)]

    def ask(self, operation: str, key: str = "", query: Mapping[str, str] | None = None, headers: Any = None) -> Answer:
        """The answer to an event made for this."""
        return self._invoke(operation, made(operation, key, query or {}, headers or {}, origin=self._origin))

    def _answer(self, case: Case) -> Answer:
        if "event" in case.told:
            return self._invoke(case.operation, stored(case.told["event"]))
        key, headers = case.told.get("key", ""), case.told.get("headers", {})
        if any("{" in value for value in headers.values()):
            headers = self._filled(key, headers)
        return self.ask(case.operation, key, case.told.get("query"), headers)

    def _filled(self, key: str, headers: Mapping[str, str]) -> dict[str, str]:
        """Headers with what the function tells of the object in the place of `{etag}` and `{last_modified}`."""
        whole = self.ask("get", key).headers
        etag, last_modified = whole.get("etag", '"none"'), whole.get("last-modified", "none")
        return {name: value.replace("{etag}", etag).replace("{last_modified}", last_modified) for name, value in headers.items()}

    def _invoke(self, operation: str, event: Event) -> Answer:
        reply = reply_of(event)
        if reply is not None:
            self._receiver.expect(reply[1])
        try:
            result = self._function(event)
        except Exception as error:  # noqa: BLE001 - a function may fail in any way; the case is told which
            return Answer(0, broken=[f"the function raised {type(error).__name__}: {error}"])
        if reply is not None:
            return of_response(reply, self._receiver.take(reply[1]))
        return of_listing(result) if operation.startswith("list") else of_head(result)

    def _compared(self, case: Case, expect: Mapping[str, Any], answer: Answer) -> Iterator[str]:
        statuses = expect["status"] if isinstance(expect["status"], list) else [expect["status"]]
        if answer.status not in statuses:
            yield f"the status is {answer.status}, not {expect['status']}"
        error = expect.get("error", "")
        if case.operation != "head" and error not in {"?", answer.error} and not (error == "*" and answer.error):
            yield f"the error is {answer.error or 'none'}, not {error or 'one at all'}"
        if "body" in expect and answer.body != expect["body"].encode():
            yield f"the body is {answer.body[:100]!r}, not {expect['body']!r}"
        for name, value in expect.get("headers", {}).items():
            if answer.headers.get(name.lower()) != value:
                yield f"{name} is {answer.headers.get(name.lower())}, not {value}"
        names = {*answer.headers, *(name.removeprefix("Contents/").lower() for name in answer.fields)}
        yield from (f"{name} is not told" for name in expect.get("told", []) if name.lower() not in names)
        yield from (f"{name} is told" for name in expect.get("untold", []) if name.lower() in names)
        if same := expect.get("same"):
            whole = self.ask("get", case.told["key"]).headers
            yield from (
                f"{name} is {answer.headers.get(name.lower())}; GET says {whole.get(name.lower())}"
                for name in same
                if answer.headers.get(name.lower()) != whole.get(name.lower())
            )
        yield from self._listed(expect, answer)

    def _listed(self, expect: Mapping[str, Any], answer: Answer) -> Iterator[str]:
        keys = expect.get("keys")
        if isinstance(keys, int) and len(answer.keys) != keys:
            yield f"there are {len(answer.keys)} keys, not {keys}"
        if isinstance(keys, list) and list(answer.keys) != keys:
            yield f"the keys are {answer.keys}, not {keys}"
        if "prefixes" in expect and list(answer.prefixes) != expect["prefixes"]:
            yield f"the prefixes are {answer.prefixes}, not {expect['prefixes']}"
        for name, value in expect.get("fields", {}).items():
            if answer.fields.get(name) != value:
                yield f"{name} is {answer.fields.get(name)}, not {value}"
        if expect.get("agrees"):
            for key, entry in answer.entries.items():
                yield from self._agrees(key, entry)

    def _agrees(self, key: str, entry: Mapping[str, str]) -> Iterator[str]:
        """An entry against GET: clients that copy what they listed rely on it."""
        got = self.ask("get", key).headers
        if (entry.get("Size"), entry.get("ETag")) != (got.get("content-length"), got.get("etag")):
            yield f"{key} is listed with {dict(entry)}; GET says {dict(got)}"
        listed, told = entry.get("LastModified", "")[:19], got.get("last-modified", "")
        if not told or listed != f"{parsedate_to_datetime(told):%Y-%m-%dT%H:%M:%S}":
            yield f"{key} is listed as of {listed}; GET says {told or 'nothing'}"

    def _paging(self, case: Case, pages: list[list[str]]) -> Iterator[str]:
        """Each page, and that each leads to the next and the last to none."""
        found: list[list[str]] = []
        after: dict[str, str] = {}
        while len(found) < PAGES_MOST:
            answer = self.ask(case.operation, query={**case.told["query"], **after})
            yield from answer.broken
            page = sorted([*answer.keys, *answer.prefixes], key=str.encode)
            found.append(page)
            if answer.fields.get("IsTruncated") != "true":
                break
            if case.operation == "list_v2":
                after = {"continuation-token": answer.fields.get("NextContinuationToken", "")}
            else:
                after = {"marker": answer.fields.get("NextMarker") or page[-1]}
        if found != pages:
            yield f"the pages are {found}, not {pages}"
