"""One tree, one table, messages that say where and what to do."""

import pytest

from indexer import errors
from indexer.errors import ANSWERS, BinderyError, Reason

KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BinderyError) and kind is not BinderyError
]


def test_every_reason_has_one_error_and_one_answer() -> None:
    assert sorted(kind.reason for kind in KINDS) == sorted(Reason)
    assert set(ANSWERS) == set(Reason)


def test_an_error_is_named_after_its_reason() -> None:
    for kind in KINDS:
        assert kind.__name__ == "".join(word.capitalize() for word in kind.reason.split("_"))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_tells_its_facts_and_what_to_do(kind: type[BinderyError]) -> None:
    error = kind("it broke", hint="Mend it", archive="s3://b/a.zip", offset=12)
    assert str(error) == "it broke (archive 's3://b/a.zip', offset 12). Mend it"
    assert (error.message, error.hint, error.facts) == ("it broke", "Mend it", {"archive": "s3://b/a.zip", "offset": 12})
    assert error.answer is ANSWERS[kind.reason]


def test_an_error_without_facts_or_hint_is_its_message() -> None:
    assert str(errors.SourceEmpty("nothing there")) == "nothing there"
    assert str(errors.SourceEmpty("nothing there", hint="Look elsewhere")) == "nothing there. Look elsewhere"


def test_control_characters_in_a_fact_do_not_reach_a_terminal() -> None:
    assert "\x1b" not in str(errors.MemberMissing("no such member", member="\x1b[2J"))


def test_what_is_absent_and_what_cannot_be_read_are_different_answers() -> None:
    assert ANSWERS[Reason.MEMBER_MISSING].http_status == 404
    assert [reason for reason, answer in ANSWERS.items() if answer.http_status == 404] == [Reason.MEMBER_MISSING]


def test_no_failure_has_the_exit_code_of_success() -> None:
    assert all(2 <= answer.exit_code <= 7 for answer in ANSWERS.values())
    assert all(400 <= answer.http_status <= 599 for answer in ANSWERS.values())
