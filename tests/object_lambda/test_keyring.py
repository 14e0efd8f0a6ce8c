"""Keys: out of documents of every kind, wherever those come from, with nothing told of a secret."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import SettingInvalid
from object_lambda.key_documents import DOCUMENT_BYTES_MOST, keys_at, keys_in
from object_lambda.keyring import AccessKey, parse_keys
from tests.servers.ministack import Ministack

SECRET = "a-secret-of-the-test"
REPORTS = {"secret": SECRET, "read": ["logs/2026", "audit"]}
DOCUMENT = json.dumps({"REPORTS": REPORTS, "BACK.UP-1": {"secret": SECRET + "2", "read": ["*"]}})


def test_a_document_tells_each_keys_secret_and_grants() -> None:
    keyring = parse_keys(DOCUMENT, place="test")
    assert len(keyring) == 2
    reports, backup = keyring.find("REPORTS"), keyring.find("BACK.UP-1")
    assert isinstance(reports, AccessKey)
    assert isinstance(backup, AccessKey)
    assert (reports.secret, backup.secret) == (SECRET, SECRET + "2")
    assert reports.grants.covers("logs", b"2026/x")
    assert not reports.grants.covers("logs", b"2025/x")
    assert backup.grants.covers("logs", b"2025/x")
    assert keyring.find("reports") is None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "not JSON: line 1"),
        ("{", "not JSON: line 1"),
        ("[" * 100_000, "not JSON"),
        ("[]", "there are no keys"),
        ("{}", "there are no keys"),
        ('"x"', "there are no keys"),
        ('{"A": 1}', "key A: it needs a secret and what it may read"),
        (json.dumps({"A": {"secret": SECRET}}), "key A: it needs a secret and what it may read"),
        (json.dumps({"A": {**REPORTS, "write": []}}), "key A: it needs a secret and what it may read, and nothing else"),
        (f'{{"A": {{"secret": "{SECRET}", "secret": "{SECRET}", "read": ["*"]}}}}', "key A: it needs a secret"),
        (json.dumps({"A": {**REPORTS, "secret": "short"}}), "key A: its secret needs at least 16 printable"),
        (json.dumps({"A": {**REPORTS, "secret": SECRET + " "}}), "none of them a space"),
        (json.dumps({"A": {**REPORTS, "secret": SECRET + "ü"}}), "printable ASCII"),
        (json.dumps({"A": {**REPORTS, "secret": 10**20}}), "key A: its secret needs"),
        (json.dumps({"A": {**REPORTS, "read": []}}), "key A: what it may read is a list"),
        (json.dumps({"A": {**REPORTS, "read": "logs"}}), "key A: what it may read is a list"),
        (json.dumps({"A": {**REPORTS, "read": [1]}}), "key A: what it may read is a list"),
        (json.dumps({"A": {**REPORTS, "read": ["/x"]}}), "key A: '/x' is no grant"),
        (json.dumps({SECRET + "/": REPORTS}), "key number 1: its id may hold"),
        (f'{{"A": {json.dumps(REPORTS)}, "A": {json.dumps(REPORTS)}}}', "key A: its id is given twice"),
    ],
)
def test_a_document_that_cannot_work_says_where_and_tells_no_secret(document: str, words: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        parse_keys(document, place="the test")
    assert words in caught.value.message
    assert SECRET not in str(caught.value) + repr(caught.value.__cause__)
    assert caught.value.facts["setting"] == "the test"


def test_all_problems_are_told_together() -> None:
    with pytest.raises(SettingInvalid, match=r"key A: .*; key B: .*"):
        parse_keys(json.dumps({"A": {**REPORTS, "secret": "x"}, "B": {**REPORTS, "read": 1}, "C": REPORTS}), place="test")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["secret", "read", "A", "*"]), inner, max_size=3),
    max_leaves=8,
)


@given(document=st.text(max_size=20) | JSON.map(json.dumps))
def test_no_document_raises_anything_but_a_setting_that_is_wrong(document: str) -> None:
    try:
        keyring = parse_keys(document, place="test")
    except SettingInvalid as error:
        told = str(error)
    else:
        told = "".join(repr(keyring.find(name)) for name in ("A", "read", "secret"))
    assert SECRET not in told


def test_secrets_are_never_shown() -> None:
    key = parse_keys(DOCUMENT, place="test").find("REPORTS")
    assert "REPORTS" in repr(key)
    assert SECRET not in repr(key)


def test_a_file_of_keys_is_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(DOCUMENT)
    assert len(keys_at(str(path))) == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b" " * (DOCUMENT_BYTES_MOST + 1)])
def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingInvalid, match="the file of keys"):
        keys_at(str(path))
    with pytest.raises(SettingInvalid, match="it is no path"):
        keys_at("a\0b")


def test_the_variable_holds_the_keys_or_names_their_place(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(DOCUMENT)
    asked: list[str] = []

    def fetch(name: str) -> str:
        asked.append(name)
        return DOCUMENT

    for text in (f"\n {DOCUMENT}", str(path), "secretsmanager:bindery/keys"):
        keyring = keys_in({"BINDERY_ACCESS_KEYS": text}, fetch=fetch)
        assert keyring is not None
        assert len(keyring) == 2
    assert asked == ["bindery/keys"]
    assert keys_in({}) is None
    assert keys_in({"BINDERY_ACCESS_KEYS": " "}) is None


@pytest.fixture
def secret(ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of Secrets Manager, which this process uses too."""
    for name, value in ministack.env.items():
        monkeypatch.setenv(name, value)
    return ministack.client("secretsmanager")


def test_keys_lie_in_secrets_manager_by_name_or_arn(secret: Any) -> None:
    arn = secret.create_secret(Name="bindery/keys", SecretString=DOCUMENT)["ARN"]
    for name in ("bindery/keys", arn):
        assert len(keys_at(f"secretsmanager:{name}")) == 2
    with pytest.raises(SettingInvalid, match="ResourceNotFoundException"):
        keys_at("secretsmanager:bindery/none")
    secret.create_secret(Name="bindery/binary", SecretBinary=b"\x00")
    with pytest.raises(SettingInvalid, match="it is binary"):
        keys_at("secretsmanager:bindery/binary")


def test_a_secret_without_a_region_to_ask_in_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingInvalid, match="You must specify a region"):
        keys_at("secretsmanager:bindery/keys")
