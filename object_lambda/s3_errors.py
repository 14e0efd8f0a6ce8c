"""The errors S3 tells its clients, one class for each code, and how our own errors become one of them.

Doors turn an `S3Error` into what their callers expect: an XML document, the fields of WriteGetObjectResponse, a JSON result.
Codes, statuses and messages are those of the Amazon S3 API reference ("List of error codes").
"""

from __future__ import annotations

from typing import ClassVar, Final

from indexer.errors import BinderyError


class S3Error(Exception):
    """Base of all answers that are no success.

    Args:
        message: For a person; the class's own when it is empty.
        fields: Further elements of the error document (`Key`, `BucketName`, `ActualObjectSize` ...), in this order.

    Attributes:
        code: S3's name of the error.
        http_status: The status of the answer.
        headers: Headers the answer carries beside the usual ones, names in lower case.
    """

    code: str
    http_status: int
    default_message: ClassVar[str] = ""

    def __init__(self, message: str = "", **fields: str) -> None:
        super().__init__(message or self.default_message)
        self.message = message or self.default_message
        self.fields = fields
        self.headers: tuple[tuple[str, str], ...] = ()


class AccessDenied(S3Error):
    """The caller, or we ourselves, may not read this."""

    code = "AccessDenied"
    http_status = 403
    default_message = "Access Denied"


class AuthorizationHeaderMalformed(S3Error):
    """The Authorization header is none, or signs for another region or service than this one; the message says which."""

    code = "AuthorizationHeaderMalformed"
    http_status = 400


class AuthorizationQueryParametersError(S3Error):
    """The same of a presigned URL's parameters."""

    code = "AuthorizationQueryParametersError"
    http_status = 400


class InternalError(S3Error):
    """A fault of ours that will not pass by itself."""

    code = "InternalError"
    http_status = 500
    default_message = "We encountered an internal error. Please try again."


class InvalidAccessKeyId(S3Error):
    """No key that we know has this id."""

    code = "InvalidAccessKeyId"
    http_status = 403
    default_message = "The AWS Access Key Id you provided does not exist in our records."


class InvalidArgument(S3Error):
    """A parameter has a value that S3 refuses; `ArgumentName` and `ArgumentValue` tell which."""

    code = "InvalidArgument"
    http_status = 400


class InvalidBucketName(S3Error):
    """No bucket can have this name."""

    code = "InvalidBucketName"
    http_status = 400
    default_message = "The specified bucket is not valid."


class InvalidObjectState(S3Error):
    """The member is there but cannot be read; the message says why."""

    code = "InvalidObjectState"
    http_status = 403


class InvalidPartNumber(S3Error):
    """The object has no such part."""

    code = "InvalidPartNumber"
    http_status = 416
    default_message = "The requested partnumber is not satisfiable"


class InvalidRange(S3Error):
    """No byte of the range is in the object (RFC 9110 15.5.17)."""

    code = "InvalidRange"
    http_status = 416
    default_message = "The requested range is not satisfiable"

    def __init__(self, asked: str, size: int) -> None:
        super().__init__("", RangeRequested=asked, ActualObjectSize=str(size))
        self.headers = (("content-range", f"bytes */{size}"),)


class InvalidRequest(S3Error):
    """The parts of the request contradict each other, or the answer cannot be given this way; the message says which."""

    code = "InvalidRequest"
    http_status = 400


class InvalidToken(S3Error):
    """The request bears a session token, and none is known here."""

    code = "InvalidToken"
    http_status = 400
    default_message = "The provided token is malformed or otherwise invalid."


class InvalidURI(S3Error):
    """The path is not percent-encoded UTF-8."""

    code = "InvalidURI"
    http_status = 400
    default_message = "Couldn't parse the specified URI."


class KeyTooLongError(S3Error):
    """The key has more than 1,024 bytes."""

    code = "KeyTooLongError"
    http_status = 400
    default_message = "Your key is too long"


class MethodNotAllowed(S3Error):
    """What would write: this is a reading side."""

    code = "MethodNotAllowed"
    http_status = 405
    default_message = "The specified method is not allowed against this resource."

    def __init__(self, method: str) -> None:
        super().__init__("", Method=method, ResourceType="OBJECT")
        self.headers = (("allow", "GET, HEAD"),)


class NoSuchBucket(S3Error):
    """Nothing is mounted under this bucket's name."""

    code = "NoSuchBucket"
    http_status = 404
    default_message = "The specified bucket does not exist"


class NoSuchKey(S3Error):
    """Absent, for certain: the index was read and has no such name."""

    code = "NoSuchKey"
    http_status = 404
    default_message = "The specified key does not exist."


class NoSuchVersion(S3Error):
    """There is one version only, `null`."""

    code = "NoSuchVersion"
    http_status = 404
    default_message = "The specified version does not exist."


class NotImplementedHere(S3Error):
    """S3 knows it, we do not serve it."""

    code = "NotImplemented"
    http_status = 501
    default_message = "A header or query parameter you provided implies functionality that is not implemented"


class PreconditionFailed(S3Error):
    """`Condition` names the header that failed."""

    code = "PreconditionFailed"
    http_status = 412
    default_message = "At least one of the pre-conditions you specified did not hold"


class RequestTimeTooSkewed(S3Error):
    """The caller's clock and ours are too far apart, or the request was kept and sent again."""

    code = "RequestTimeTooSkewed"
    http_status = 403
    default_message = "The difference between the request time and the current time is too large."


class ServiceUnavailable(S3Error):
    """A fault of ours that may pass: clients try again."""

    code = "ServiceUnavailable"
    http_status = 503
    default_message = "Please reduce your request rate."


class SignatureDoesNotMatch(S3Error):
    """The signature was not made of this request with this key's secret."""

    code = "SignatureDoesNotMatch"
    http_status = 403
    default_message = (
        "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    )


class XAmzContentSHA256Mismatch(S3Error):
    """The body that was announced is not the one that came: a read has none."""

    code = "XAmzContentSHA256Mismatch"
    http_status = 400
    default_message = "The provided 'x-amz-content-sha256' header does not match what was computed."


S3_ERRORS: Final[dict[str, type[S3Error]]] = {kind.code: kind for kind in S3Error.__subclasses__()}
"""Every code we answer of our own, by name."""


class LiveRefusal(S3Error):
    """What the store said of a loose object (`live`): its own code, status and message, told as they came."""

    def __init__(self, status: int, code: str, message: str, **fields: str) -> None:
        super().__init__(message, **fields)
        self.code = code
        self.http_status = status


def from_bindery(error: BinderyError) -> S3Error:
    """Tell one of our errors to an S3 client, by `indexer.errors.ANSWERS`.

    The facts (which archive, which offset) stay in our log: a client is told what is wrong and what to do, never where the
    archive lies. The statuses of S3's codes are the same in both tables; a test compares them.
    """
    text = f"{error.message}. {error.hint}" if error.hint else error.message
    code = error.answer.s3_code
    return InvalidRange("", 0) if code == InvalidRange.code else S3_ERRORS[code](text)
