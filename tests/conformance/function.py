"""The function under test, in this process or behind a URL."""

import importlib
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

Event = dict[str, Any]
Function = Callable[[Event], Any]
"""Takes an event; what it returns is the function's result. An exception is a function that failed."""

TIMEOUT_S: Final = 60
"""S3 Object Lambda waits no longer."""


def environment(receiver: str) -> dict[str, str]:
    """The variables with which AWS's SDKs, and whatever follows them, send WriteGetObjectResponse to the receiver."""
    return {
        "AWS_ENDPOINT_URL_S3_OBJECT_LAMBDA": receiver,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_ACCESS_KEY_ID": "conformance",
        "AWS_SECRET_ACCESS_KEY": "conformance",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def local(name: str, receiver: str) -> Function:
    """`module:function` of this Python, imported after its environment is set, as Lambda does."""
    os.environ.update(environment(receiver))
    sys.path.insert(0, str(Path.cwd()))
    module, _, function = name.partition(":")
    handler: Callable[[Event, Any], Any] = getattr(importlib.import_module(module), function)
    return lambda event: handler(event, None)


def remote(url: str) -> Function:
    """What answers a POST of an event: a Lambda runtime interface emulator, a function URL without a signature."""

    def invoke(event: Mapping[str, Any]) -> Any:
        request = urllib.request.Request(url, json.dumps(event).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            result = json.loads(answer.read() or b"null")
        if isinstance(result, dict) and "errorType" in result:
            raise RuntimeError(f"{result['errorType']}: {result.get('errorMessage')}")
        return result

    return invoke
