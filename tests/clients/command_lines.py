"""Clients that are programs of a shell."""

import html
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import boto3
from botocore.config import Config

from tests.clients.contents import EMPTY, LARGE, LOGS, ODD, SIZES, SMALL, files
from tests.clients.rows import ACCESS_POINT
from tests.clients.visit import VENV, Client, Operation, Visit

AWS_LINE: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +(\d+) (.*)")
RCLONE_LINE: Final = re.compile(r" *(\d+) (.*)")
S3CMD_LINE: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d +(\d+) +s3://[^/]+/(.*)")


def sizes(pattern: re.Pattern[str], text: str, prefix: str = "") -> dict[str, int]:
    """The sizes by key that lines of a listing tell."""
    told = [match for line in text.splitlines() if (match := pattern.fullmatch(line))]
    return {prefix + match[2]: int(match[1]) for match in told}


def same(folder: Path) -> None:
    """Asserts that a folder holds the logs, byte for byte."""
    found = files(folder)
    assert sorted(found) == sorted(LOGS), sorted(found)
    assert [key for key in LOGS if found[key] != LOGS[key]] == []


class Version:
    """Asks a program for its version."""

    def __init__(self, pattern: re.Pattern[str], command: tuple[str, ...]) -> None:
        self._pattern = pattern
        self._command = command

    def __call__(self, visit: Visit) -> str:
        told = visit.run(*self._command)
        found = self._pattern.search(told)
        assert found, told
        return found[1]


def versioned(pattern: str, *command: str) -> Version:
    """The first group of what matches in the program's answer."""
    return Version(re.compile(pattern), command)


# The aws command lines


def aws(program: str) -> Mapping[str, Operation]:
    """What both versions are asked."""

    def run(visit: Visit, *arguments: str) -> str:
        # Debian's version 2 is older than AWS_ENDPOINT_URL: the endpoint has to be an option.
        return visit.run(program, "--endpoint-url", visit.door.endpoint, "s3", *arguments)

    def ls(visit: Visit) -> None:
        assert run(visit, "ls", visit.url("")).split() == ["PRE", "logs/", "PRE", "tables/"]
        lines = run(visit, "ls", visit.url("logs/")).splitlines()
        assert [line.split()[0] for line in lines[:2]] == ["PRE", "PRE"]
        assert sizes(AWS_LINE, lines[2], "logs/") == {LARGE: SIZES[LARGE]}

    def ls_recursive(visit: Visit) -> None:
        assert sizes(AWS_LINE, run(visit, "ls", "--recursive", visit.url("logs/"))) == SIZES

    def cp(visit: Visit) -> None:
        for key in (ODD, EMPTY, LARGE):
            run(visit, "cp", visit.url(key), str(visit.folder / "one"))
            assert (visit.folder / "one").read_bytes() == LOGS[key]

    def cp_recursive(visit: Visit) -> None:
        run(visit, "cp", "--recursive", visit.url("logs/"), str(visit.folder / "copied"))
        same(visit.folder / "copied")

    def sync(visit: Visit) -> None:
        run(visit, "sync", visit.url("logs/"), str(visit.folder / "synced"))
        same(visit.folder / "synced")

    def sync_again(visit: Visit) -> None:
        assert run(visit, "sync", visit.url("logs/"), str(visit.folder / "synced")) == ""
        assert {request.operation for request in visit.door.relay.seen} == {"ListObjectsV2"}

    return {
        "ls": ls,
        "ls --recursive": ls_recursive,
        "cp": cp,
        "cp --recursive": cp_recursive,
        "sync": sync,
        "sync again: copies nothing": sync_again,
    }


# rclone


def rclone(visit: Visit, *arguments: str) -> str:
    return visit.run(str(VENV / "bin" / "rclone"), *arguments, **rclone_env(visit))


def rclone_env(visit: Visit) -> dict[str, str]:
    """A remote `s3:` without a file of settings."""
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": visit.door.endpoint,
        "ACCESS_KEY_ID": visit.door.access_key_id,
        "SECRET_ACCESS_KEY": visit.door.secret,
        "REGION": visit.door.region,
        "FORCE_PATH_STYLE": "true",
    }
    return {f"RCLONE_CONFIG_S3_{name}": value for name, value in settings.items()} | {"RCLONE_CONFIG": ""}


def remote(visit: Visit) -> str:
    return f"s3:{visit.door.bucket}/logs"


def rclone_ls(visit: Visit) -> None:
    assert sizes(RCLONE_LINE, rclone(visit, "ls", remote(visit)), "logs/") == SIZES


def rclone_copy(visit: Visit) -> None:
    rclone(visit, "copy", remote(visit), str(visit.folder / "copied"))
    same(visit.folder / "copied")


def rclone_check(visit: Visit) -> None:
    rclone(visit, "check", remote(visit), str(visit.folder / "copied"))


def rclone_check_download(visit: Visit) -> None:
    rclone(visit, "check", "--download", remote(visit), str(visit.folder / "copied"))


def rclone_mount(visit: Visit) -> None:
    at = mount_point(visit)
    # --daemon returns when the mount answers
    rclone(visit, "mount", "--daemon", "--read-only", remote(visit), str(at))
    read_mounted(visit, at)


# File systems


def fuse_lacks() -> str | None:
    return None if os.access("/dev/fuse", os.R_OK | os.W_OK) else "/dev/fuse is not there or may not be used"


def mount_point(visit: Visit) -> Path:
    """An empty folder, unmounted when the visit is over."""
    at = visit.folder / "mounted"
    at.mkdir()
    # Not asked whether it is mounted: a mount whose door does not answer says no to that.
    visit.closing.callback(subprocess.run, ("umount", "--quiet", "--lazy", str(at)), check=False)
    return at


def read_mounted(visit: Visit, at: Path) -> None:
    assert at.is_mount()
    same(at)
    assert visit.run_raw("cat", str(at / ODD.removeprefix("logs/"))) == LOGS[ODD]


def s3fs_mount(visit: Visit) -> None:
    passwords = visit.folder / "passwords"
    passwords.write_text(f"{visit.door.access_key_id}:{visit.door.secret}\n")
    passwords.chmod(0o600)
    options = f"passwd_file={passwords},url={visit.door.endpoint},endpoint={visit.door.region},use_path_request_style,ro"
    at = mount_point(visit)
    visit.run("s3fs", f"{visit.door.bucket}:/logs", str(at), "-o", options)
    read_mounted(visit, at)


# s3cmd


def s3cmd(visit: Visit, *arguments: str) -> str:
    settings = visit.folder / "s3cfg"
    if not settings.exists():
        host = visit.door.endpoint.partition("://")[2]
        settings.write_text(
            "[default]\n"
            f"access_key = {visit.door.access_key_id}\nsecret_key = {visit.door.secret}\nbucket_location = {visit.door.region}\n"
            f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\n"
        )
    return visit.run("s3cmd", f"--config={settings}", "--no-progress", *arguments)


def s3cmd_ls(visit: Visit) -> None:
    listed = s3cmd(visit, "ls", visit.url("logs/")).splitlines()
    assert [line.split()[0] for line in listed[:2]] == ["DIR", "DIR"], listed
    assert sizes(S3CMD_LINE, listed[2]) == {LARGE: SIZES[LARGE]}


def s3cmd_ls_recursive(visit: Visit) -> None:
    assert sizes(S3CMD_LINE, s3cmd(visit, "ls", "--recursive", visit.url("logs/"))) == SIZES


def s3cmd_get(visit: Visit) -> None:
    for key in (SMALL, ODD, EMPTY, LARGE):
        s3cmd(visit, "get", "--force", visit.url(key), str(visit.folder / "one"))
        assert (visit.folder / "one").read_bytes() == LOGS[key]


def s3cmd_get_recursive(visit: Visit) -> None:
    (visit.folder / "got").mkdir()
    s3cmd(visit, "get", "--recursive", visit.url("logs/"), f"{visit.folder}/got/")
    same(visit.folder / "got")


# curl and a browser


def curl(visit: Visit, target: str, *arguments: str) -> bytes:
    signed = ("--aws-sigv4", f"aws:amz:{visit.door.region}:s3", "--user", f"{visit.door.access_key_id}:{visit.door.secret}")
    payload = ("--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
    return visit.run_raw(
        "curl",
        "--silent",
        "--show-error",
        "--fail",
        *signed,
        *payload,
        *arguments,
        f"{visit.door.endpoint}/{visit.door.bucket}{target}",
    )


def curl_get(visit: Visit) -> None:
    for key in (SMALL, ODD, EMPTY, LARGE):
        assert curl(visit, f"/{quote(key)}") == LOGS[key]


def curl_range(visit: Visit) -> None:
    assert curl(visit, f"/{quote(LARGE)}", "--range", "5000000-5000099") == LOGS[LARGE][5_000_000:5_000_100]


def curl_list(visit: Visit) -> None:
    document = curl(visit, "?list-type=2&prefix=logs%2F").decode()
    assert sorted(map(html.unescape, re.findall("<Key>(.*?)</Key>", document))) == sorted(SIZES)


CHROMIUM: Final = (
    "chromium",
    "--headless",
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--metrics-recording-only",
)


def browser_reads(visit: Visit) -> None:
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=visit.door.endpoint,
        region_name=visit.door.region,
        aws_access_key_id=visit.door.access_key_id,
        aws_secret_access_key=visit.door.secret,
        config=Config(s3={"addressing_style": "path"}),
    )
    shown = {"Bucket": visit.door.bucket, "Key": ODD, "ResponseContentType": "text/plain; charset=utf-8"}
    url = client.generate_presigned_url("get_object", Params=shown)
    document = visit.run(*CHROMIUM, f"--user-data-dir={visit.folder / 'profile'}", "--dump-dom", url)
    found = re.search("<pre[^>]*>(.*?)</pre>", document, re.DOTALL)
    assert found, document
    assert found[1] == LOGS[ODD].decode()


# By alias the emulator gives the function no query, and a member packed from a file is no text by its own Content-Type.
NO_TEXT_TYPE: Final = {ACCESS_POINT: "the emulator does not pass response-content-type on"}

COMMAND_LINES: Final = (
    Client("aws cli v2", versioned(r"aws-cli/(\S+)", "/usr/bin/aws", "--version"), aws("/usr/bin/aws")),
    Client("aws cli v1", versioned(r"aws-cli/(\S+)", f"{VENV}/bin/aws", "--version"), aws(f"{VENV}/bin/aws")),
    Client(
        "rclone",
        versioned(r"rclone v(\S+)", f"{VENV}/bin/rclone", "version"),
        {"ls": rclone_ls, "copy": rclone_copy, "check": rclone_check, "check --download": rclone_check_download},
    ),
    Client(
        "rclone, mounted",
        versioned(r"rclone v(\S+)", f"{VENV}/bin/rclone", "version"),
        {"mount, cat": rclone_mount},
        lacks=fuse_lacks,
    ),
    Client(
        "s3cmd",
        versioned(r"version (\S+)", "s3cmd", "--version"),
        {"ls": s3cmd_ls, "ls --recursive": s3cmd_ls_recursive, "get": s3cmd_get, "get --recursive": s3cmd_get_recursive},
    ),
    Client("s3fs-fuse, mounted", versioned(r"V(\S+)", "s3fs", "--version"), {"mount, cat": s3fs_mount}, lacks=fuse_lacks),
    Client(
        "curl --aws-sigv4",
        versioned(r"curl (\S+)", "curl", "--version"),
        {"GET": curl_get, "GET of a range": curl_range, "list": curl_list},
    ),
    Client("Chromium", versioned(r"Chromium (\S+)", "chromium", "--version"), {"presigned URL": browser_reads}, NO_TEXT_TYPE),
)
