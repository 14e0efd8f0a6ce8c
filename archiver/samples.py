"""Logs that look like those of a real account, for demos, tests and benchmarks; the same number gives the same logs anywhere.

Four kinds, named and written as AWS delivers them: CloudTrail events, load balancer logs, S3 access logs, and an application's
own lines. Values repeat as they do in life (a few users, hosts and paths, many request ids), so that sizes and ratios are like
those of real logs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, NamedTuple

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"
BEGIN: Final = datetime(2026, 3, 1, tzinfo=UTC)
DAY_S: Final = 86_400

MEAN_LINES: Final = 9.0
"""Lines of a log, at the median; a few have ten times as many."""

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
USERS: Final = ("alice", "bob", "carol", "deploy", "ingest", "report", "backup")
SERVICES: Final = ("checkout", "catalog", "search", "billing")
PATHS: Final = ("/", "/api/v1/items", "/api/v1/items/{}", "/api/v1/cart", "/login", "/static/app.js", "/health")
AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148",
    "aws-sdk-java/2.29.1 Linux/6.1.0 OpenJDK_64-Bit_Server_VM/21.0.5",
    "ELB-HealthChecker/2.0",
)
EVENTS: Final = (
    ("s3.amazonaws.com", "GetObject"),
    ("s3.amazonaws.com", "PutObject"),
    ("sts.amazonaws.com", "AssumeRole"),
    ("kms.amazonaws.com", "Decrypt"),
    ("dynamodb.amazonaws.com", "DescribeTable"),
    ("ec2.amazonaws.com", "DescribeInstances"),
)
STATUSES: Final = (200, 200, 200, 200, 200, 200, 200, 304, 404, 500)


class Sample(NamedTuple):
    """One log object.

    Attributes:
        key: Its key.
        body: Its lines.
        content_type: What it would be stored with.
    """

    key: str
    body: bytes
    content_type: str


def samples(count: int, *, seed: int = 2026, days: int = 31) -> Iterator[Sample]:
    """Make `count` logs, in the order of their time; their keys are all different.

    Args:
        count: How many.
        seed: Another number, other logs.
        days: Over how many days they are spread.
    """
    pick = Random(seed)  # noqa: S311 - the same logs again is what it is for
    kinds = tuple(KINDS.values())
    for number in range(count):
        when = BEGIN + timedelta(seconds=days * DAY_S * number / count)
        lines = max(1, min(int(pick.lognormvariate(math.log(MEAN_LINES), 0.8)), 400))
        yield pick.choice(kinds)(pick, when, lines)


def cloudtrail(pick: Random, when: datetime, lines: int) -> Sample:
    """A CloudTrail log file."""
    records = [_event(pick, when + timedelta(seconds=line)) for line in range(lines)]
    name = f"{ACCOUNT}_CloudTrail_{REGION}_{when:%Y%m%dT%H%M}Z_{_letters(pick, 16)}.json"
    body = json.dumps({"Records": records}, separators=(",", ":")).encode()
    return Sample(f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{when:%Y/%m/%d}/{name}", body, "application/json")


def _event(pick: Random, when: datetime) -> dict[str, object]:
    source, name = pick.choice(EVENTS)
    user = pick.choice(USERS)
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": f"AIDA{user.upper():X<17}",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
            "accountId": ACCOUNT,
            "userName": user,
        },
        "eventTime": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": source,
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": _address(pick),
        "userAgent": pick.choice(AGENTS),
        "requestParameters": {"bucketName": "example-data", "key": f"in/{pick.randrange(10**6):06d}.csv"},
        "responseElements": None,
        "requestID": _hex(pick, 16).upper(),
        "eventID": _uuid(pick),
        "readOnly": not name.startswith("Put"),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
    }


def load_balancer(pick: Random, when: datetime, lines: int) -> Sample:
    """A log file of an application load balancer."""
    text = []
    for line in range(lines):
        moment = when + timedelta(milliseconds=137 * line + pick.randrange(100))
        status = pick.choice(STATUSES)
        path = pick.choice(PATHS).format(pick.randrange(5000))
        text.append(
            f"https {moment:%Y-%m-%dT%H:%M:%S.%f}Z app/web/50dc6c495c0c9188 {_address(pick)}:{pick.randrange(1024, 65536)} "
            f"10.0.{pick.randrange(4)}.{pick.randrange(2, 40)}:8080 0.000 {pick.randrange(1, 400) / 1000:.3f} 0.000 "
            f"{status} {status} "
            f'{pick.randrange(200, 900)} {pick.randrange(100, 40000)} "GET https://shop.example.com:443{path} HTTP/2.0" '
            f'"{pick.choice(AGENTS)}" TLS_AES_128_GCM_SHA256 TLSv1.3 '
            f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/web/73e2d6bc24d8a067 "
            f'"Root=1-{int(moment.timestamp()):08x}-{_hex(pick, 24)}" "shop.example.com" "-" 0 {moment:%Y-%m-%dT%H:%M:%S.%f}Z '
            '"forward" "-" "-"'
        )
    balancer = f"{ACCOUNT}_elasticloadbalancing_{REGION}_app.web.50dc6c495c0c9188"
    name = f"{balancer}_{when:%Y%m%dT%H%M}Z_{_address(pick)}_{_letters(pick, 8)}.log"
    return Sample(f"AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/{when:%Y/%m/%d}/{name}", _text(text), "text/plain")


def s3_access(pick: Random, when: datetime, lines: int) -> Sample:
    """A file of S3 server access logs."""
    owner = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
    text = []
    for line in range(lines):
        moment = when + timedelta(seconds=line)
        key = f"in/{pick.randrange(10**6):06d}.csv"
        size = pick.randrange(100, 200_000)
        text.append(
            f"{owner} example-data [{moment:%d/%b/%Y:%H:%M:%S +0000}] {_address(pick)} "
            f"arn:aws:iam::{ACCOUNT}:user/{pick.choice(USERS)} {_hex(pick, 16).upper()} REST.GET.OBJECT {key} "
            f'"GET /{key} HTTP/1.1" 200 - {size} {size} {pick.randrange(5, 90)} {pick.randrange(4, 80)} "-" '
            f'"{pick.choice(AGENTS)}" - {_letters(pick, 75)}= SigV4 TLS_AES_128_GCM_SHA256 AuthHeader '
            f"example-data.s3.{REGION}.amazonaws.com TLSv1.3 - -"
        )
    return Sample(f"access/{when:%Y-%m-%d-%H-%M-%S}-{_hex(pick, 16).upper()}", _text(text), "text/plain")


def application(pick: Random, when: datetime, lines: int) -> Sample:
    """Lines of a service, one JSON object each."""
    service = pick.choice(SERVICES)
    text = []
    for line in range(lines):
        moment = when + timedelta(milliseconds=311 * line)
        took_ms = pick.randrange(2, 900)
        text.append(
            json.dumps(
                {
                    "ts": f"{moment:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
                    "level": "WARN" if took_ms > 700 else "INFO",
                    "service": service,
                    "trace": _hex(pick, 32),
                    "user": f"u{pick.randrange(20_000):05d}",
                    "msg": "request done" if took_ms <= 700 else "request was slow",
                    "path": pick.choice(PATHS).format(pick.randrange(5000)),
                    "status": pick.choice(STATUSES),
                    "took_ms": took_ms,
                }
            )
        )
    pod = f"{service}-{_hex(pick, 9)}-{_letters(pick, 5).lower()}"
    key = f"app/{service}/{when:%Y/%m/%d}/{pod}-{when:%H%M%S}-{_hex(pick, 8)}.jsonl"
    return Sample(key, _text(text), "application/x-ndjson")


KINDS: Final[dict[str, Callable[[Random, datetime, int], Sample]]] = {
    "cloudtrail": cloudtrail,
    "load-balancer": load_balancer,
    "s3-access": s3_access,
    "application": application,
}


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _address(pick: Random) -> str:
    return f"203.0.113.{pick.randrange(256)}" if pick.random() < 0.7 else f"198.51.100.{pick.randrange(256)}"


def _hex(pick: Random, digits: int) -> str:
    return f"{pick.getrandbits(4 * digits):0{digits}x}"


def _letters(pick: Random, count: int) -> str:
    return "".join(pick.choices(LETTERS, k=count))


def _uuid(pick: Random) -> str:
    text = _hex(pick, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
