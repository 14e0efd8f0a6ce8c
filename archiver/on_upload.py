"""The Lambda function that indexes archives as they are uploaded: `archiver.on_upload.handler`.

It takes S3 notifications, EventBridge's "Object Created", and both through SNS or SQS (`archiver.arrivals`). Events come at least
once and in any order, so each is only a hint that something is there: what is indexed is the version that is there now, and one
that has its index is left alone.

Variables: those of the store (`indexer.source.settings`); `BINDERY_INDEX_KINDS`, which kinds of archive to index, told apart by the
ends of their names (default: all but single compressed files, which a bucket of logs is full of).

The function needs s3:GetObject on the archives, s3:GetObject and s3:PutObject on keys that end in `.bindery`, and s3:ListBucket,
without which S3 does not tell that there is no index yet. Its timeout and its `/tmp` must suffice for the largest archive; for a
queue, switch `ReportBatchItemFailures` on.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from archiver.arrivals import arrivals, messages
from archiver.reindex import indexed, reindex
from indexer.catalogfile import CATALOG_SUFFIX
from indexer.errors import BinderyError, DestinationExists, ObjectMissing, ObjectReplaced, SettingInvalid
from indexer.formats import KINDS, by_name
from indexer.source.route import open_source
from indexer.urls import INDEX_SUFFIX, index_url, parse

VARIABLE: Final = "BINDERY_INDEX_KINDS"
DEFAULT_KINDS: Final = ("tar.zst", "tar.gz", "zip", "squashfs", "tar")
TRIES: Final = 3
"""How often an archive is indexed that is replaced, or indexed by another, at just that time."""

Log = Callable[[Mapping[str, object]], object]


def kinds_in(env: Mapping[str, str]) -> frozenset[str]:
    """The kinds of archive that are to be indexed.

    Raises:
        SettingInvalid: The variable names one that does not exist.
    """
    kinds = frozenset(env.get(VARIABLE, "").replace(",", " ").split()) or frozenset(DEFAULT_KINDS)
    if unknown := sorted(kinds - KINDS.keys()):
        raise SettingInvalid(f"unknown kinds: {', '.join(unknown)}", hint=f"Known are {', '.join(KINDS)}", setting=VARIABLE)
    return kinds


@dataclass(frozen=True, slots=True)
class OnUpload:
    """Indexes what events tell of.

    Args:
        env: The variables with which stores are reached.
        kinds: Kinds of archive to index.
        log: Takes what was done, a document for each archive.
        scratch: Folder for indexes until they are whole.
    """

    env: Mapping[str, str] = field(repr=False)
    kinds: frozenset[str]
    log: Log
    scratch: Path

    def handle(self, event: Mapping[str, Any]) -> dict[str, object]:
        """Answer one event.

        Returns:
            For a batch from SQS, the messages that are to come again (`batchItemFailures`); otherwise what was `indexed`.

        Raises:
            BinderyError: An archive could not be indexed, after all others were; so Lambda tries again, and then tells its dead
                letter queue. A batch from SQS raises nothing: the queue does that for each message.
        """
        batch = messages(event)
        if batch is None:
            done, failed = self._index_all(event)
            if failed is not None:
                raise failed
            return {"indexed": done}
        failures = [message.identifier for message in batch if self._index_all(message.body)[1] is not None]
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failures]}

    def _index_all(self, event: object) -> tuple[list[str], BinderyError | None]:
        """Index all archives of an event; tells which, and the first error."""
        done: list[str] = []
        failed: BinderyError | None = None
        try:
            for url in arrivals(event):
                try:
                    if self._index(url):
                        done.append(url)
                except BinderyError as error:
                    failed = failed or self._told(error, url)
        except SettingInvalid as error:
            failed = self._told(error, None)
        return done, failed

    def _index(self, told: str) -> bool:
        """Index one archive unless that is done or not wanted."""
        if told.endswith((INDEX_SUFFIX, CATALOG_SUFFIX)):
            return False
        kind = by_name(told)
        if kind is None or kind.name not in self.kinds:
            return False
        url = parse(told)
        place = index_url(url)
        for left in reversed(range(TRIES)):
            try:
                if indexed(url, place, open_source(self.env)):
                    self.log({"level": "INFO", "message": "it has its index already", "archive": url})
                    return False
                summary = reindex(url, place, env=self.env, scratch=self.scratch)
            except ObjectMissing:
                self.log({"level": "INFO", "message": "the archive is gone by now", "archive": url})
                return False
            except (DestinationExists, ObjectReplaced):
                if not left:
                    raise
            else:
                self.log({"level": "INFO", "message": "indexed", **summary.as_json(), "index": place})
                return True
        raise AssertionError("unreachable")  # pragma: no cover

    def _told(self, error: BinderyError, url: str | None) -> BinderyError:
        self.log({"level": "ERROR", "message": str(error), "reason": error.reason.value, "archive": url})
        return error


def _log(document: Mapping[str, object]) -> None:
    """One JSON document a line on standard error, which Lambda sends to CloudWatch."""
    sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")


def handler(event: Mapping[str, Any], context: object) -> dict[str, object]:  # noqa: ARG001 - Lambda's signature
    """Answer one event."""
    env = os.environ
    return OnUpload(env, kinds_in(env), _log, Path(tempfile.gettempdir())).handle(event)
