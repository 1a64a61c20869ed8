"""The API as data."""

from __future__ import annotations

import email
import json
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core import tinyjpg
from imgshrink.core.errors import SettingsError
from imgshrink.core.tinyjpg import Job
from imgshrink.engines.hosted import replies
from imgshrink.engines.hosted.parsing import read_count, read_number, read_object, read_text, retry_after
from imgshrink.engines.hosted.replies import AccountReply, Denied, Finished, Gone, Later, Refused, Unclear, Working
from json_values import json_values
from published_api import OPTIMIZED, ORIGINAL, PUBLISHED_ERROR, PUBLISHED_STATUS, PUBLISHED_UPLOAD

MESSAGE = PUBLISHED_UPLOAD["message"]
COMPLETED = Job(123, "completed", 2048576, 1024288, ORIGINAL, OPTIMIZED, 2.34)


def packed(value: object) -> bytes:
    return json.dumps(value).encode()


def reply(**data: object) -> bytes:
    return packed({"success": True, "data": data})


def test_published_upload_is_built() -> None:
    """What the page shows as the reply to an upload is what we build, field by field and in this order."""
    built = tinyjpg.accepted(Job(123, tinyjpg.PROCESSING, 2048576, 1024288, ORIGINAL, OPTIMIZED))
    assert json.dumps(PUBLISHED_UPLOAD) == json.dumps(built)


def test_published_status_is_built() -> None:
    """What the page shows as the reply to a status request is what we build, field by field and in this order."""
    assert json.dumps(PUBLISHED_STATUS) == json.dumps(tinyjpg.progress(COMPLETED))


def test_published_error_is_built() -> None:
    """What the page shows as an error is what we build."""
    errors = {"image": [tinyjpg.IMAGE_REQUIRED], "quality": [tinyjpg.QUALITY_RANGE]}
    assert json.dumps(PUBLISHED_ERROR) == json.dumps(tinyjpg.refusal(tinyjpg.INVALID, errors))


def test_error_without_fields() -> None:
    """An error that concerns no field carries `success` and `message` alone."""
    assert tinyjpg.refusal("Unauthorized") == {"success": False, "message": "Unauthorized"}


def test_unfinished_status_holds_no_result() -> None:
    """A job in work tells its number, status and original size, a failed one also why."""
    assert tinyjpg.progress(Job(7, "processing", 10)) == {
        "success": True,
        "data": {"image_id": 7, "status": "processing", "original_size": 10},
    }
    failed = tinyjpg.progress(Job(7, "failed", 10, message="broken"))["data"]
    assert failed == {"image_id": 7, "status": "failed", "original_size": 10, "message": "broken"}


@pytest.mark.parametrize(("before", "after", "expected"), [(2048576, 1024288, 50.0), (3, 1, 66.67), (0, 0, 0.0)])
def test_saved(before: int, after: int, expected: float) -> None:
    """The compression ratio is the per cent saved."""
    assert tinyjpg.saved(before, after) == expected


UPLOADS = {
    "published": (200, packed(PUBLISHED_UPLOAD), Working),
    "201": (201, reply(image_id=1, status="processing"), Working),
    "done at once": (200, reply(image_id=1, status="completed"), Finished),
    "upper case": (200, reply(image_id=1, status="COMPLETED"), Finished),
    "failed": (200, reply(image_id=1, status="failed", message="no"), Refused),
    "error": (200, reply(image_id=1, status="error"), Refused),
    "queued": (200, reply(image_id=1, status="queued"), Working),
    "status of another kind": (200, reply(image_id=1, status=["x"]), Working),
    "no status": (200, reply(image_id=1), Working),
    "id as text": (200, reply(image_id="17"), Working),
    "no success": (200, packed({"data": {"image_id": 5}}), Working),
    "validation": (422, packed(PUBLISHED_ERROR), Refused),
    "bad request": (400, b"", Refused),
    "too large": (413, b"<html>", Refused),
    "no such media": (415, b"", Refused),
    "no success with 200": (200, packed(PUBLISHED_ERROR), Refused),
    "unauthorized": (401, b"", Denied),
    "payment": (402, b"", Denied),
    "forbidden": (403, b"", Denied),
    "too many": (429, b"", Later),
    "busy": (503, b"", Later),
    "server error": (500, packed({"success": False, "message": "oops"}), Unclear),
    "not found": (404, b"", Unclear),
    "moved": (302, b"", Unclear),
    "moved for good": (308, b"", Unclear),
    "switching": (101, b"", Unclear),
    "html": (200, b"<html>Log in to the hotel's network</html>", Unclear),
    "empty": (200, b"", Unclear),
    "half": (200, packed(PUBLISHED_UPLOAD)[:60], Unclear),
    "a list": (200, b"[1]", Unclear),
    "null": (200, b"null", Unclear),
    "data is text": (200, packed({"success": True, "data": "x"}), Unclear),
    "data is a list": (200, packed({"success": True, "data": [1]}), Unclear),
    "no id": (200, reply(status="processing"), Unclear),
    "id true": (200, reply(image_id=True), Unclear),
    "id negative": (200, reply(image_id=-1), Unclear),
    "id fraction": (200, reply(image_id=1.5), Unclear),
    "id huge": (200, reply(image_id=2**63), Unclear),
    "id infinite": (200, b'{"success": true, "data": {"image_id": 1e999}}', Unclear),
    "id nan": (200, b'{"success": true, "data": {"image_id": NaN}}', Unclear),
    "id of 5000 digits": (200, b'{"success": true, "data": {"image_id": ' + b"9" * 5000 + b"}}", Unclear),
    "nested deeply": (200, b'{"data":' * 100_000, Unclear),
    "not utf-8": (200, b'{"success": true, "data": {"image_id": 1, "status": "\xff"}}', Unclear),
    "too long": (200, b" " * 300_000 + packed(PUBLISHED_UPLOAD), Unclear),
}


@pytest.mark.parametrize(("code", "body", "expected"), UPLOADS.values(), ids=UPLOADS)
def test_after_upload(code: int, body: bytes, expected: type) -> None:
    """Every reply to an upload means one thing; what is no answer is never taken for one."""
    assert type(replies.after_upload(code, body)) is expected


STATUSES = {
    "published": (200, packed(PUBLISHED_STATUS), Finished(COMPLETED)),
    "unknown status": (200, reply(image_id=123, status="warming up"), Working(Job(123, "warming up"))),
    "no id": (200, reply(status="processing"), Working(Job(123, "processing"))),
    "another id": (200, reply(image_id=124, status="completed"), Unclear("answered 200 without a usable image_id")),
    "failed": (200, reply(image_id=123, status="failed", message="bad"), Refused("could not optimize it (bad)")),
    "failed silently": (200, reply(image_id=123, status="failed"), Refused("could not optimize it")),
    "not found": (404, b"", Gone()),
    "gone": (410, b"", Gone()),
    "bad request": (400, b"", Refused("answered 400")),
    "validation": (422, b"", Refused("answered 422")),
    "unauthorized": (401, b"", Denied(401, quota=False, reason="answered 401")),
    "too many": (429, b"", Later("answered 429")),
    "html": (200, b"<html>", Unclear("answered 200 without JSON")),
    "html with 502": (502, b"<html>", Unclear("answered 502")),
    "moved": (301, b"", Unclear("answered 301, a redirect, which is not followed")),
}


@pytest.mark.parametrize(("code", "body", "expected"), STATUSES.values(), ids=STATUSES)
def test_after_status(code: int, body: bytes, expected: object) -> None:
    """Every reply to a status request means one thing."""
    assert replies.after_status(code, body, 123) == expected


QUESTIONS = {
    "told": (200, packed({"success": True, "data": {"used": 1}}), AccountReply({"success": True, "data": {"used": 1}})),
    "told without envelope": (200, packed({"used": 1}), AccountReply({"used": 1})),
    "no success": (200, packed({"success": False, "message": "no"}), Unclear("answered 200 (no)")),
    "html": (200, b"<html>", Unclear("answered 200")),
    "server error": (500, b"{}", Unclear("answered 500")),
    "not found": (404, b"", Gone()),
    "unauthorized": (401, b"", Denied(401, quota=False, reason="answered 401")),
}


@pytest.mark.parametrize(("code", "body", "expected"), QUESTIONS.values(), ids=QUESTIONS)
def test_after_question(code: int, body: bytes, expected: object) -> None:
    """A question about the account is answered by any JSON object that is no error."""
    assert replies.after_question(code, body) == expected


@pytest.mark.parametrize(
    ("code", "message", "quota"),
    [
        (401, "Quota service says: invalid key", False),
        (402, "", True),
        (403, "Plan limit exceeded", True),
        (403, "Monthly QUOTA used up", True),
        (403, "You may not do this", False),
        (403, "", False),
    ],
)
def test_quota_or_permission(code: int, message: str, quota: bool) -> None:
    """A 403 is a used-up quota where its message speaks of one, else a lack of permission."""
    step = replies.after_upload(code, packed({"success": False, "message": message}))
    assert isinstance(step, Denied)
    assert step.quota is quota


def test_messages_of_fields() -> None:
    """What the API says of each field reaches the person, in one line."""
    assert replies.after_upload(422, packed(PUBLISHED_ERROR)) == Refused(
        "answered 422 (The image field is required. The quality must be between 1 and 100.)"
    )


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({"image": "one"}, {"image": ("one",)}),
        ({"image": ["one", 2, None, ""]}, {"image": ("one",)}),
        ({"image": {"a": 1}}, {"image": ()}),
        (["one"], {}),
        (None, {}),
    ],
)
def test_odd_errors(errors: object, expected: dict[str, tuple[str, ...]]) -> None:
    """An envelope of another shape is read as far as it goes."""
    assert replies.read_errors(packed({"errors": errors})) == expected


def test_control_characters_are_kept_from_the_terminal() -> None:
    """A message can neither colour the terminal, nor begin a line, nor turn the direction of the text."""
    step = replies.after_upload(400, packed({"message": "a\x1b[31mb\r\nc\u202ed\x00" + "e" * 5000}))
    assert isinstance(step, Refused)
    assert step.reason.startswith("answered 400 (a [31mb c d eee")
    assert step.reason.isprintable()
    assert len(step.reason) == 200


@pytest.mark.parametrize("url", [None, 7, "https://x/\r\nX-API-Key: y", "x" * 5000])
def test_odd_addresses(url: object) -> None:
    """What is no printable address of sane length is none."""
    step = replies.after_status(200, reply(image_id=1, status="completed", optimized_url=url), 1)
    assert isinstance(step, Finished)
    assert step.job.optimized_url == ""


def test_upload_is_a_form() -> None:
    """The form of an upload holds quality and image as any parser of forms reads them."""
    image = bytes(range(256)) * 20
    built = tinyjpg.upload(image, ".png", "image/png", 80, "0123456789abcdef" * 2)
    parsed = email.message_from_bytes(
        b"Content-Type: " + built.content_type.encode() + b"\r\n\r\n" + built.body, policy=HTTP
    )
    quality, picture = parsed.iter_parts()
    assert quality.get_param("name", header="content-disposition") == "quality"
    assert quality.get_payload() == "80"
    assert picture.get_param("name", header="content-disposition") == "image"
    assert picture.get_filename() == "0123456789abcdef.png"
    assert picture.get_content_type() == "image/png"
    assert built.body.count(image) == 1


def test_upload_repeats_itself() -> None:
    """The same upload, sent again, is the same bytes: an API that compares bodies sees one job."""
    arguments = (b"image", ".gif", "image/gif", 75, "ab" * 16)
    assert tinyjpg.upload(*arguments) == tinyjpg.upload(*arguments)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("999999999999", 999999999999.0),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e9", None),
        ("9" * 400, None),
        ("Thu, 99 Jan 1970 00:00:00 GMT", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        ("inf", None),
    ],
)
def test_retry_after(value: str, expected: float | None) -> None:
    """Seconds and dates are understood, nonsense is as good as nothing."""
    assert retry_after(value, 1000.0) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(None, None), ("", None), (" \r\n", None), (" abc\n", "abc"), ("~!-_", "~!-_")]
)
def test_clean_key(value: str | None, expected: str | None) -> None:
    """White space around a key goes, and an empty key is none."""
    assert tinyjpg.clean_key(value) == expected


@pytest.mark.parametrize("key", ["abc def", "abc\ndef", "abcdé", "abc\x00def", "abc\x7f", "abc\u00a0def"])
def test_bad_key(key: str) -> None:
    """A key that can't be one is refused without being quoted."""
    with pytest.raises(SettingsError) as caught:
        tinyjpg.clean_key(key)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (5.0, 5),
        ("5", 5),
        (True, None),
        (-5, None),
        (5.5, None),
        ("5.0", None),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_read_count(value: object, expected: int | None) -> None:
    """A count is a whole number, also as text or with a fraction of zero."""
    assert read_count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.34, 2.34),
        (2, 2.0),
        (-1, None),
        (False, None),
        (float("nan"), None),
        (float("inf"), None),
        ("2", None),
        (10**400, None),
    ],
)
def test_read_number(value: object, expected: float | None) -> None:
    """A number is finite and not negative."""
    assert read_number(value) == expected


shaped = st.fixed_dictionaries(
    {},
    optional={
        "success": json_values,
        "message": json_values,
        "errors": json_values,
        "data": st.fixed_dictionaries(
            {},
            optional={
                "image_id": json_values,
                "status": json_values,
                "optimized_size": json_values,
                "optimized_url": json_values,
            },
        ),
    },
)


@given(st.integers(100, 599), shaped | json_values)
def test_any_json_is_understood(code: int, value: object) -> None:
    """No JSON makes a reader raise, and every text that comes out is one printable line."""
    body = json.dumps(value).encode("utf-8", "surrogatepass")
    for step in (
        replies.after_upload(code, body),
        replies.after_status(code, body, 5),
        replies.after_question(code, body),
    ):
        reason = getattr(step, "reason", "")
        assert reason == "" or reason.isprintable()


@given(st.integers(100, 599), st.binary(max_size=300))
def test_any_bytes_are_understood(code: int, body: bytes) -> None:
    """No bytes make a reader raise."""
    replies.after_upload(code, body)
    replies.after_status(code, body, 5)
    assert read_object(body) is None or body.strip()[:1] == b"{"


@given(st.text(max_size=500))
def test_texts_are_one_line(text: str) -> None:
    """Whatever a server says becomes one printable line of at most 200 characters."""
    line = read_text(text)
    assert line == "" or line.isprintable()
    assert len(line) <= 200
