"""What becomes of an upload: every state, every trouble, every age."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.engines.hosted.payment import (
    DAY,
    REJECTED,
    SENDING,
    UPLOADED,
    Action,
    Row,
    Trouble,
    action_after,
    first_action,
)


def row(state: str, attempts: int = 1) -> Row:
    return Row(state, attempts, 1, "token", "", 0.0)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, Action.UPLOAD),
        (row(SENDING, 1), Action.UPLOAD),
        (row(SENDING, 2), Action.STOP_UPLOADS),
        (row(UPLOADED, 1), Action.COLLECT),
        (row(UPLOADED, 2), Action.COLLECT),
        (row(REJECTED, 1), Action.REJECT),
        (row(REJECTED, 2), Action.REJECT),
    ],
)
def test_first_action(before: Row | None, expected: Action) -> None:
    """What is paid for is collected, an upload that was cut is repeated once, and a verdict stands."""
    assert expected is first_action(before)


TABLE = {
    # trouble: (within a day, after a day, after a day and two uploads)
    Trouble.REFUSED: (Action.REJECT, Action.REJECT, Action.REJECT),
    Trouble.GONE: (Action.LEAVE, Action.UPLOAD, Action.STOP_UPLOADS),
    Trouble.UNFINISHED: (Action.LEAVE, Action.REJECT, Action.REJECT),
    Trouble.UNUSABLE: (Action.LEAVE, Action.REJECT, Action.REJECT),
    Trouble.ELSEWHERE: (Action.LEAVE, Action.LEAVE, Action.LEAVE),
}


@pytest.mark.parametrize("trouble", Trouble)
def test_action_after(trouble: Trouble) -> None:
    """Only the API's own no, and what it did not deliver within a day, end a payment without a result."""
    first, second = row(UPLOADED, 1), row(UPLOADED, 2)
    found = (
        action_after(trouble, first, 0.0),
        action_after(trouble, first, DAY + 1),
        action_after(trouble, second, DAY + 1),
    )
    assert TABLE[trouble] == found


def test_within_a_day_to_the_second() -> None:
    """A result is waited for as long as a day, and not longer."""
    assert action_after(Trouble.UNFINISHED, row(UPLOADED), DAY) is Action.LEAVE
    assert action_after(Trouble.UNFINISHED, row(UPLOADED), DAY + 1e-6) is Action.REJECT


def test_a_new_row_is_not_delivered() -> None:
    """What was not said to be downloaded is still owed."""
    assert not row(UPLOADED).delivered


@given(st.sampled_from(Trouble), st.integers(1, 2), st.floats(-1e9, DAY))
def test_nothing_is_uploaded_again_within_a_day(trouble: Trouble, attempts: int, age: float) -> None:
    """Within a day a paid image is collected, or refused by the API, and never passed on for another reason."""
    expected = Action.REJECT if trouble is Trouble.REFUSED else Action.LEAVE
    assert expected is action_after(trouble, row(UPLOADED, attempts), age)
