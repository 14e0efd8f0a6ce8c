"""WriteGetObjectResponse as it goes over the wire, byte for byte, and what happens when a body or the line breaks."""

import re
import ssl
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from botocore.session import Session

from indexer.errors import SettingInvalid, StoreFailed
from object_lambda.answers import ObjectAnswer, ObjectHead
from object_lambda.kept_connection import IDLE_S
from object_lambda.s3_errors import S3_ERRORS, InvalidRange, NoSuchKey, NotImplementedHere, S3Error
from object_lambda.signing import Credentials, signed
from object_lambda.wgor import ResponseWriter
from object_lambda.wgor_endpoint import Endpoint, dns_suffix
from object_lambda.wgor_headers import STATUSES, answer_headers, error_headers, told_status
from tests.object_lambda.recorder import OK, Recorder

CREDENTIALS = Credentials("AKIAEXAMPLE", "secret", "session-token")
NOW_S = 1_763_627_400  # 2025-11-20 08:30:00 UTC
HEAD = ObjectHead(5, "0123456789abcdef0123456789abcdef", 1_445_412_480, "text/plain")


class Scene:
    """A recorder, and a writer that sends to it with a clock of its own."""

    def __init__(self, answers: list[bytes | None] | None = None, *, closes: bool = False) -> None:
        self.recorder = Recorder(answers, closes=closes)
        self.now_s = float(NOW_S)
        self.endpoint = Endpoint(f"http://{self.recorder.host}", "us-east-1", CREDENTIALS, routed=False)
        self.writer = ResponseWriter(self.endpoint, clock=lambda: self.now_s)

    def write(self, body: Iterable[bytes], length: int) -> None:
        self.writer.write("io-use1-001", "token", [("x-amz-fwd-status", "200"), ("Content-Length", str(length))], body)


@pytest.fixture
def scenes() -> Iterator[list[Scene]]:
    made: list[Scene] = []
    yield made
    for scene in made:
        scene.recorder.close()


@pytest.fixture
def scene(scenes: list[Scene]) -> Scene:
    scenes.append(Scene())
    return scenes[0]


def expected(scene: Scene, lines: list[tuple[str, str]], body: bytes) -> bytes:
    """The request as the API reference has it: our lines, those of the signature, the body."""
    host = [("Host", scene.recorder.host), ("x-amz-request-route", "io-use1-001"), ("x-amz-request-token", "token")]
    request = signed(
        [*host, *lines],
        CREDENTIALS,
        method="POST",
        path="/WriteGetObjectResponse",
        service="s3-object-lambda",
        region="us-east-1",
        timestamp="20251120T083000Z",
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in request)
    return f"POST /WriteGetObjectResponse HTTP/1.1\r\n{head}\r\n".encode() + body


ANSWERS = {
    "whole": (
        ObjectAnswer(200, HEAD, 5),
        [
            ("x-amz-fwd-status", "200"),
            ("x-amz-fwd-header-ETag", '"0123456789abcdef0123456789abcdef"'),
            ("x-amz-fwd-header-Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ("x-amz-fwd-header-Accept-Ranges", "bytes"),
            ("x-amz-fwd-header-Content-Type", "text/plain"),
            ("Content-Length", "5"),
        ],
        b"hello",
    ),
    "range": (
        ObjectAnswer(206, HEAD, 2, "bytes 1-2/5"),
        [
            ("x-amz-fwd-status", "206"),
            ("x-amz-fwd-header-ETag", '"0123456789abcdef0123456789abcdef"'),
            ("x-amz-fwd-header-Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ("x-amz-fwd-header-Accept-Ranges", "bytes"),
            ("x-amz-fwd-header-Content-Type", "text/plain"),
            ("Content-Length", "2"),
            ("x-amz-fwd-header-Content-Range", "bytes 1-2/5"),
        ],
        b"el",
    ),
    "everything": (
        ObjectAnswer(
            200,
            ObjectHead(
                size=5,
                etag="e-1",
                mtime_s=0,
                content_type="a/b",
                content_encoding="gzip",
                content_language="de",
                content_disposition='attachment; filename="a  b"',
                cache_control="no-cache",
                expires="123",
                metadata=(("colour", "light  blue"), ("size", "xl")),
                crc32="NhCmhg==",
            ),
            5,
        ),
        [
            ("x-amz-fwd-status", "200"),
            ("x-amz-fwd-header-ETag", '"e-1"'),
            ("x-amz-fwd-header-Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("x-amz-fwd-header-Accept-Ranges", "bytes"),
            ("x-amz-fwd-header-Content-Type", "a/b"),
            ("Content-Length", "5"),
            ("x-amz-fwd-header-Content-Encoding", "gzip"),
            ("x-amz-fwd-header-Content-Language", "de"),
            ("x-amz-fwd-header-Content-Disposition", 'attachment; filename="a  b"'),
            ("x-amz-fwd-header-Cache-Control", "no-cache"),
            ("x-amz-fwd-header-Expires", "123"),
            ("x-amz-meta-colour", "light  blue"),
            ("x-amz-meta-size", "xl"),
            ("x-amz-fwd-header-x-amz-checksum-crc32", "NhCmhg=="),
        ],
        b"hello",
    ),
    "not modified": (
        ObjectAnswer(304, HEAD, 0),
        [
            ("x-amz-fwd-status", "304"),
            ("x-amz-fwd-header-ETag", '"0123456789abcdef0123456789abcdef"'),
            ("x-amz-fwd-header-Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ("x-amz-fwd-header-Accept-Ranges", "bytes"),
            ("Content-Length", "0"),
        ],
        b"",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_sent_as_the_reference_has_it(scene: Scene, name: str) -> None:
    answer, lines, body = ANSWERS[name]
    scene.writer.write("io-use1-001", "token", answer_headers(answer), [body])
    assert scene.recorder.requests == [expected(scene, lines, body)]


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (NoSuchKey("", Key="a"), "404", "NoSuchKey", "The specified key does not exist."),
        (InvalidRange("bytes=9-", 5), "416", "InvalidRange", "The requested range is not satisfiable"),
        (NoSuchKey("näme\r\nX-Evil: 1"), "404", "NoSuchKey", "n?me??X-Evil: 1"),
        (NoSuchKey("a" * 5000), "404", "NoSuchKey", "a" * 1000),
        (NotImplementedHere("not yet"), "400", "NotImplemented", "not yet"),
    ],
)
def test_an_error_is_sent_without_a_body(scene: Scene, error: S3Error, status: str, code: str, message: str) -> None:
    scene.writer.write("io-use1-001", "token", error_headers(error), ())
    lines = [
        ("x-amz-fwd-status", status),
        ("x-amz-fwd-error-code", code),
        ("x-amz-fwd-error-message", message),
        ("Content-Length", "0"),
    ]
    assert scene.recorder.requests == [expected(scene, lines, b"")]


def test_every_error_has_a_status_that_may_be_told_and_a_code_of_the_right_form() -> None:
    for code, kind in S3_ERRORS.items():
        assert told_status(kind.http_status) in STATUSES
        assert re.fullmatch("[A-Z][a-zA-Z0-9]+", code)


def test_every_header_sent_is_one_that_botocore_knows() -> None:
    shape = Session().get_service_model("s3").operation_model("WriteGetObjectResponse").input_shape
    assert shape is not None
    known = {member.serialization["name"].lower() for member in shape.members.values() if "name" in member.serialization}
    sent = {name.lower() for _, lines, _ in ANSWERS.values() for name, _ in lines}
    sent |= {name.lower() for name, _ in error_headers(NoSuchKey())}
    assert {name for name in sent if not name.startswith("x-amz-meta-")} <= known
    assert "x-amz-meta-" in known


# --- framing --------------------------------------------------------------------------------------------------------


def test_a_body_is_sent_piece_by_piece(scene: Scene) -> None:
    scene.write((bytes([number]) * 100_000 for number in range(20)), 2_000_000)
    (request,) = scene.recorder.requests
    assert request.partition(b"\r\n\r\n")[2] == b"".join(bytes([number]) * 100_000 for number in range(20))


@pytest.mark.parametrize("pieces", [[b"hell"], [], [b"he", b"llo", b"!"], [b"hello!"]], ids=["short", "none", "more", "too long"])
def test_a_body_of_another_length_breaks_the_connection(scene: Scene, pieces: list[bytes]) -> None:
    with pytest.raises(ValueError, match="not the 5 that were announced"):
        scene.write(pieces, 5)
    check_broken_off(scene, shorter_than=5)


@pytest.mark.parametrize("before", [1000, 5000], ids=["halfway", "behind its last byte"])
def test_a_body_that_fails_breaks_the_connection_and_the_caller_sees_too_few_bytes(scene: Scene, before: int) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(before // 500):
            yield b"x" * 500
        raise RuntimeError("the archive is gone")

    with pytest.raises(RuntimeError, match="the archive is gone"):
        scene.write(body(), 5000)
    check_broken_off(scene, shorter_than=5000)
    scene.write([b"hello"], 5)
    assert len(scene.recorder.connections) == 2


def check_broken_off(scene: Scene, shorter_than: int) -> None:
    """The receiver has seen the connection end, and fewer bytes than were announced."""
    scene.recorder.closed.acquire()
    (connection,) = scene.recorder.connections
    assert connection.requests == []
    assert len(bytes(connection.received).partition(b"\r\n\r\n")[2]) < shorter_than


def test_an_event_s_route_cannot_lead_elsewhere(scene: Scene) -> None:
    with pytest.raises(ValueError, match="no route"):
        scene.writer.write("evil.example/", "token", [("Content-Length", "0")], ())
    assert scene.recorder.connections == []


# --- the connection -------------------------------------------------------------------------------------------------


def test_a_connection_is_used_again(scene: Scene) -> None:
    for _ in range(3):
        scene.write([b"hello"], 5)
    assert [len(connection.requests) for connection in scene.recorder.connections] == [3]


def test_a_connection_that_stood_idle_is_not_trusted(scene: Scene) -> None:
    scene.write([b"hello"], 5)
    scene.now_s += IDLE_S
    scene.write([b"hello"], 5)
    scene.now_s -= 100  # the clock was set back: how long it stood idle is not known
    scene.write([b"hello"], 5)
    assert [len(connection.requests) for connection in scene.recorder.connections] == [1, 1, 1]


def test_a_connection_the_other_side_says_it_will_close_is_not_kept(scenes: list[Scene]) -> None:
    scenes.append(Scene([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]))
    for _ in range(2):
        scenes[0].write([b"hello"], 5)
    assert [len(connection.requests) for connection in scenes[0].recorder.connections] == [1, 1]


def test_a_connection_the_other_side_has_closed_is_noticed_before_a_token_is_lost(scenes: list[Scene]) -> None:
    scenes.append(Scene(closes=True))
    for _ in range(3):
        scenes[0].write([b"hello"], 5)
        scenes[0].recorder.closed.acquire()
    assert [len(connection.requests) for connection in scenes[0].recorder.connections] == [1, 1, 1]


def test_a_refusal_is_an_error_and_nothing_is_sent_twice(scenes: list[Scene]) -> None:
    document = b"<Error><Code>ValidationError</Code></Error>"
    scenes.append(Scene([b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(document), document), OK]))
    with pytest.raises(StoreFailed, match="refused with 400: <Error><Code>ValidationError"):
        scenes[0].write([b"hello"], 5)
    assert len(scenes[0].recorder.requests) == 1


def test_a_line_that_breaks_is_an_error_and_nothing_is_sent_twice(scenes: list[Scene]) -> None:
    scenes.append(Scene([None, OK]))
    with pytest.raises(StoreFailed, match="could not be sent"):
        scenes[0].write([b"hello"], 5)
    assert len(scenes[0].recorder.requests) == 1


def test_nobody_at_the_other_end_is_an_error() -> None:
    scene = Scene()
    scene.recorder.close()
    with pytest.raises(StoreFailed, match="could not be sent"):
        scene.write([b"hello"], 5)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost with its key, by openssl."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=DNS:localhost -keyout {path} -out {path}.crt"
    subprocess.run(command.split(), check=True, capture_output=True, timeout=60)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@pytest.mark.parametrize("trusted", [True, False])
def test_under_tls_only_a_trusted_receiver_gets_the_answer(certificate: Path, trusted: bool) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    recorder = Recorder(tls=tls)
    bundle = str(certificate) if trusted else None
    endpoint = Endpoint(f"https://localhost:{recorder.port}", "us-east-1", CREDENTIALS, routed=False, ca_bundle=bundle)
    writer = ResponseWriter(endpoint, clock=lambda: float(NOW_S))
    headers = [("x-amz-fwd-status", "200"), ("Content-Length", "5")]
    if trusted:
        for _ in range(2):
            writer.write("io-use1-001", "token", headers, [b"hello"])
        assert [len(connection.requests) for connection in recorder.connections] == [2]
    else:
        with pytest.raises(StoreFailed, match="CERTIFICATE_VERIFY_FAILED"):
            writer.write("io-use1-001", "token", headers, [b"hello"])
        assert recorder.requests == []
    recorder.close()


# --- where to -------------------------------------------------------------------------------------------------------

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}


def test_on_aws_the_route_stands_before_the_region_s_host() -> None:
    endpoint = Endpoint.read({**KEYS, "AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_S3": "https://vpce-1.s3.example"})
    assert endpoint.credentials == Credentials("AKIAEXAMPLE", "secret", "token")
    assert endpoint.secure
    assert endpoint.address("io-euc1-001") == (
        "io-euc1-001.s3-object-lambda.eu-central-1.amazonaws.com",
        "/WriteGetObjectResponse",
    )


def test_every_region_has_the_suffix_of_its_partition() -> None:
    partitions = Session().get_data("partitions")["partitions"]
    assert {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b"} <= {partition["id"] for partition in partitions}
    for partition in partitions:
        regions = [region for region in partition["regions"] if not region.endswith("-global")]
        assert {dns_suffix(region) for region in regions} <= {partition["outputs"]["dnsSuffix"]}


@pytest.mark.parametrize(
    ("env", "host"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "127.0.0.1:4566"),
        ({"AWS_ENDPOINT_URL": "http://[::1]:4566/"}, "[::1]:4566"),
        ({"AWS_ENDPOINT_URL": "http://emulator:4566"}, "r.emulator:4566"),
        ({"AWS_ENDPOINT_URL": "http://emulator:4566", "AWS_DISABLE_HOST_PREFIX_INJECTION": "true"}, "emulator:4566"),
        ({"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3_OBJECT_LAMBDA": "http://127.0.0.1:2"}, "127.0.0.1:2"),
    ],
)
def test_an_emulator_is_reached_where_the_variables_say(env: dict[str, str], host: str) -> None:
    endpoint = Endpoint.read(KEYS | env)
    assert endpoint.address("r") == (host, "/WriteGetObjectResponse")
    assert not endpoint.secure


def test_without_credentials_there_is_no_writer() -> None:
    with pytest.raises(SettingInvalid, match="no credentials"):
        Endpoint.read({"AWS_REGION": "eu-central-1"})
    with pytest.raises(SettingInvalid, match="is no URL"):
        Endpoint.read({**KEYS, "AWS_ENDPOINT_URL_S3_OBJECT_LAMBDA": "ftp://x"})
