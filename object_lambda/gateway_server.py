"""The gateway as a process of its own: `python -m object_lambda.gateway_server`, in a container or behind the Lambda Web Adapter.

The adapter (a layer of AWS) passes each request of a function URL on to this process over HTTP; with
`AWS_LWA_INVOKE_MODE=response_stream` and a URL of `InvokeMode: RESPONSE_STREAM`, an answer may be 200 MB long and is streamed.

Variables: those of `object_lambda.gateway_env`, and `PORT` (8080), `HOST` (127.0.0.1, where the adapter looks; 0.0.0.0 in a
container).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

from indexer.errors import BinderyError, SettingInvalid
from indexer.source.route_async import open_async_source
from object_lambda.gateway import listeners, serve
from object_lambda.gateway_env import app_of

DEFAULT_PORT: Final = "8080"
DEFAULT_HOST: Final = "127.0.0.1"


def run(env: Mapping[str, str]) -> None:
    """Serve until the process is told to stop.

    Raises:
        SettingInvalid, LocationInvalid: The variables cannot work.
    """
    port = env.get("PORT") or env.get("AWS_LWA_PORT") or DEFAULT_PORT
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise SettingInvalid("this is no port", hint="Set PORT to a number from 1 to 65535", setting="PORT", value=port)
    app = app_of(env, open_async_source(env), body_bytes=None)
    serve(app, listeners(env.get("HOST") or DEFAULT_HOST, int(port)))


if __name__ == "__main__":
    try:
        run(os.environ)
    except BinderyError as error:
        sys.exit(f"bindery: {error}")
