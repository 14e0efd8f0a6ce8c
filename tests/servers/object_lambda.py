"""S3 Object Lambda on ministack: how to put a function behind an access point, and how the emulator behaves.

Set-up (what `object_lambda_access_point` does): lambda `create_function` with the code as a zip; s3control
`create_access_point` on the bucket (the supporting access point); s3control `create_access_point_for_object_lambda`
that names both and lists the transformed actions. The answer carries an alias, `<name>-<24 random><region
code>a--ol-s3`.

How callers reach it
- By alias, wherever a bucket name stands, path style: `get_object(Bucket=alias)`, `aws s3 ls s3://alias`. Works with
  any client on `http://127.0.0.1:port`. The event's `userRequest.url` is then `/<alias>/<key>`, decoded, without host
  and query: the handler has to take key and query from `inputS3Url`.
- By ARN: boto3 sends it to `http://<name>-<account>.localhost:port` and signs for `s3-object-lambda`; the client
  needs `endpoint_url="http://localhost:port"` and a resolver that knows subdomains of localhost (fixture
  `localhost_subdomains`; glibc has none). `userRequest.url` is then a full URL. Only ARN requests look like those of
  AWS in every part.
- Actions that no transformation lists go to the bucket itself. Range and partNumber are answered 501 unless
  `AllowedFeatures` lists `GetObject-Range` and so on. Range, conditional headers and the like reach the function in
  `userRequest.headers`, capitalised (`Range`, `If-Match`); `authorization` is left out.

How the function runs
- As a subprocess of ministack, by ministack's own Python (the `Runtime` only tells Python from Node): everything in
  this virtual environment can be imported, and the zip's folder comes first on `sys.path`. Layers are unpacked too,
  their `python/` folder before it. The working folder is the unpacked zip.
- One worker serves one call at a time and is kept warm; concurrent calls start further workers. `print` goes to
  stderr.
- Environment: the function's own variables over ministack's; `AWS_ENDPOINT_URL` is set to the emulator unless the
  function sets it; `AWS_ACCESS_KEY_ID` is the account number and cannot be set;
  `AWS_DISABLE_HOST_PREFIX_INJECTION=true`, so that botocore does not put `outputRoute` before the endpoint's host.
- `inputS3Url` is presigned with the caller's key, `http://127.0.0.1:port/<supporting access point's
  alias>/<key>?...`, and works with plain HTTP for GET, HEAD and listings.

WriteGetObjectResponse
- `POST /WriteGetObjectResponse` on any host, matched by the headers `x-amz-request-route` and `x-amz-request-token`;
  each token once: an unknown, wrong or spent one is 400 InvalidHostHeader. No signature is checked, none is
  needed.
- The body may come with Content-Length or with `Transfer-Encoding: chunked`. It is collected whole
  before the caller gets the first byte, and the caller waits until the *function returns*: latency here says nothing
  about AWS.
- `x-amz-fwd-status`, `x-amz-fwd-header-*`, `x-amz-meta-*` are passed on; `x-amz-fwd-error-code` and `-message` become
  the error XML (status below 400 becomes 500). Nothing checks Content-Length against the body.
- Function ended without calling it: 500 LambdaResponseNotReceived; function raised: 500 LambdaRuntimeError.

HEAD and listings are answered by the function's return value (`statusCode`, `headers`, `metadata`; `listResultXml` or
`listBucketResult`; `errorCode`, `errorMessage`). An error status of HeadObject is passed on with its headers.
"""

import io
import itertools
import socket
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

from tests.servers.ministack import ACCOUNT, Bucket, Ministack

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3control import S3ControlClient
    from mypy_boto3_s3control.literals import ObjectLambdaAllowedFeatureType as Feature
    from mypy_boto3_s3control.literals import ObjectLambdaTransformationConfigurationActionType as Action

ROOT = Path(__file__).parent.parent.parent
ALL_ACTIONS: Final = ("GetObject", "HeadObject", "ListObjects", "ListObjectsV2")
ALL_FEATURES: Final = ("GetObject-Range", "GetObject-PartNumber", "HeadObject-Range", "HeadObject-PartNumber")
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class AccessPoint:
    """An Object Lambda access point. Its `alias` stands wherever a client wants a bucket's name."""

    name: str
    alias: str
    arn: str


class AccessPointFactory(Protocol):
    """What the fixture `object_lambda_access_point` hands out."""

    def __call__(
        self,
        bucket: Bucket,
        function_zip: bytes,
        env: Mapping[str, str],
        *,
        handler: str = ...,
        timeout_s: int = ...,
        actions: "Sequence[Action]" = ...,
        features: "Sequence[Feature]" = ...,
    ) -> AccessPoint:
        """Puts the function before `bucket`; `handler` is `module.function` inside the zip."""
        ...


def zip_of_files(files: Mapping[str, str]) -> bytes:
    """A function's code from file names and their text."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def zip_of_packages(*packages: str) -> bytes:
    """A function's code from top-level packages of this repository, as deployed: no tests, no caches."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in packages:
            for path in sorted((ROOT / package).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, path.relative_to(ROOT))
    return packed.getvalue()


def _drop_account_from_host(request: Any, **_: Any) -> None:
    """S3 Control's endpoint rules put the account before any host, even an address; botocore cannot be told not to."""
    request.url = request.url.replace(f"//{ACCOUNT}.", "//", 1)


@pytest.fixture
def object_lambda_access_point(ministack: Ministack) -> Iterator[AccessPointFactory]:
    """Makes access points; removes them and their functions after the test."""
    with access_points(ministack) as make:
        yield make


@contextmanager
def access_points(ministack: Ministack) -> Iterator[AccessPointFactory]:
    """The same for as long as the caller wants."""
    functions: LambdaClient = ministack.client("lambda")
    control: S3ControlClient = ministack.client("s3control")
    control.meta.events.register("request-created.s3-control", _drop_account_from_host)
    undo: list[Callable[[], Any]] = []

    def make(
        bucket: Bucket,
        function_zip: bytes,
        env: Mapping[str, str],
        *,
        handler: str = "handler.handler",
        timeout_s: int = 60,
        actions: "Sequence[Action]" = ALL_ACTIONS,
        features: "Sequence[Feature]" = ALL_FEATURES,
    ) -> AccessPoint:
        number = next(NUMBERS)
        function, supporting, name = f"function-{number}", f"supporting-{number}", f"olap-{number}"
        function_arn = functions.create_function(
            FunctionName=function,
            Runtime="python3.11",
            Handler=handler,
            Role=f"arn:aws:iam::{ACCOUNT}:role/reader",
            Code={"ZipFile": function_zip},
            Timeout=timeout_s,
            MemorySize=512,
            Environment={"Variables": dict(env)},
        )["FunctionArn"]
        undo.append(lambda: functions.delete_function(FunctionName=function))
        supporting_arn = control.create_access_point(AccountId=ACCOUNT, Name=supporting, Bucket=bucket.name)["AccessPointArn"]
        undo.append(lambda: control.delete_access_point(AccountId=ACCOUNT, Name=supporting))
        made = control.create_access_point_for_object_lambda(
            AccountId=ACCOUNT,
            Name=name,
            Configuration={
                "SupportingAccessPoint": supporting_arn,
                "AllowedFeatures": features,
                "TransformationConfigurations": [
                    {
                        "Actions": actions,
                        "ContentTransformation": {"AwsLambda": {"FunctionArn": function_arn}},
                    }
                ],
            },
        )
        undo.append(lambda: control.delete_access_point_for_object_lambda(AccountId=ACCOUNT, Name=name))
        return AccessPoint(name=name, alias=made["Alias"]["Value"], arn=made["ObjectLambdaAccessPointArn"])

    try:
        yield make
    finally:
        for step in reversed(undo):
            step()


@pytest.fixture
def localhost_subdomains(monkeypatch: pytest.MonkeyPatch) -> None:
    """`anything.localhost` means this machine (RFC 6761, 6.3), which glibc's resolver does not know."""
    resolve = socket.getaddrinfo

    def resolve_localhost(host: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(host, str) and host.endswith(".localhost"):
            host = "127.0.0.1"
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_localhost)
