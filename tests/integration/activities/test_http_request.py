"""http.request: what is sent, what comes back, and what a failure says."""

from __future__ import annotations

import json
import os
import socket

import pytest

from tasks.activities import http_transport
from workflows_app.engine.errors import ActivityError


def test_a_json_answer_comes_back_parsed_and_as_text(bank, call):
    bank.answers("/orders", body=b'{"id": 7}', Content_Type="application/json; charset=utf-8", X_Trace="t")

    result = call(connection="bank", path="/orders")

    assert (result["status"], result["json"], result["text"]) == (200, {"id": 7}, '{"id": 7}')
    assert result["headers"]["x-trace"] == "t"
    assert set(result) == {"status", "headers", "json", "text"}


def test_json_goes_out_with_the_query_headers_and_idempotency_key(bank, call):
    bank.answers("/charges", 201)

    call(
        connection="bank",
        method="POST",
        path="/charges",
        json={"amount": 1.5, "name": "Zoë"},
        params={"q": "a b&c", "n": [1, 2], "yes": True, "none": None},
        headers={"X-Trace": "t", "X-Count": 3, "X-None": None},
    )

    (seen,) = bank.seen
    assert (seen.method, seen.path) == ("POST", "/charges?q=a+b%26c&n=1&n=2&yes=true")
    assert json.loads(seen.body) == {"amount": 1.5, "name": "Zoë"}
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["idempotency-key"] == "i-1:pay:0"
    assert (seen.headers["x-trace"], seen.headers["x-count"]) == ("t", "3")
    assert "x-none" not in seen.headers
    assert seen.headers["host"] == f"127.0.0.1:{bank.port}"


def test_a_text_body_and_an_idempotency_key_of_ones_own(bank, call):
    bank.answers("/notes")

    call(
        connection="bank",
        method="PUT",
        path="notes",
        body="grüße",
        headers={"content-type": "text/csv", "idempotency-key": "mine"},
    )

    (seen,) = bank.seen
    assert seen.body.decode() == "grüße"
    assert (seen.headers["content-type"], seen.headers["idempotency-key"]) == ("text/csv", "mine")


def test_an_idempotency_key_that_no_header_can_carry_is_encoded(bank, call, attempt):
    bank.answers("/")

    call(attempt(idempotency_key="ü\r\nX-Evil: 1"), connection="bank")

    (seen,) = bank.seen
    assert seen.headers["idempotency-key"] == "%C3%BC%0D%0AX-Evil:%201"
    assert "x-evil" not in seen.headers


def test_a_connections_fields_are_sent_and_its_secrets_do_not_come_back(site, settings, call, monkeypatch):
    monkeypatch.setenv("BANK_AUTHORIZATION", "Bearer canary-4711")
    settings.ORCHESTRATOR_CONNECTIONS = {
        "bank": {
            "base_url": f"{site.url}/api/",
            "headers": {"X-Client": "orders"},
            "secret_env": {"Authorization": "BANK_AUTHORIZATION"},
        }
    }
    site.answers("/api/me", body=b'{"you_sent": "canary-4711"}', Content_Type="application/json", X_Echo="canary-4711")

    result = call(connection="bank", path="/me", headers={"authorization": "mine", "x-client": "mine"})

    (seen,) = site.seen
    assert (seen.headers["authorization"], seen.headers["x-client"]) == ("Bearer canary-4711", "orders")
    assert "canary" not in json.dumps(result)


@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_other_answers_are_text(bank, call, kind):
    bank.answers("/", body="7".encode("latin-1") + "é".encode("latin-1"), Content_Type=f"{kind}; charset=iso-8859-1")

    result = call(connection="bank")

    assert (result["json"], result["text"]) == (None, "7é")


@pytest.mark.parametrize("body", [b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\u0000"}', b"{", b"[" * 5000, b"9" * 30])
def test_json_that_cannot_be_stored_comes_as_text_only(bank, call, body):
    bank.answers("/", body=body, Content_Type="application/json")

    result = call(connection="bank")

    assert result["json"] is None
    assert result["text"] == body.decode()


def test_an_answer_with_nul_and_broken_characters_can_be_stored(bank, call):
    bank.answers("/", body=b"a\x00b\xff", Content_Type="text/plain; charset=no-such")

    assert call(connection="bank")["text"] == "a\ufffdb\ufffd"


def test_a_large_json_answer_drops_the_text_that_would_break_the_output_limit(bank, call, settings):
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 1500
    bank.answers("/", body=json.dumps({"a": "x" * 1000}).encode(), Content_Type="application/json")

    result = call(connection="bank")

    assert result["json"] == {"a": "x" * 1000}
    assert result["text"] is None


def test_a_status_outside_ok_status_is_an_error_with_the_answer(bank, failure):
    bank.answers("/", 409, b'{"reason": "twice"}', Content_Type="application/json", Set_Cookie="session=1")

    error = failure(connection="bank", method="POST", path="/")

    assert (error.code, error.recoverable) == ("HTTP_ERROR", True)
    assert error.details["status"] == 409
    assert error.details["json"] == {"reason": "twice"}
    assert "set-cookie" not in error.details["headers"]
    assert "effect" not in error.details


@pytest.mark.parametrize(
    ("method", "status", "is_unknown"),
    [("POST", 503, True), ("DELETE", 500, True), ("GET", 503, False), ("POST", 404, False), ("POST", 302, True)],
)
def test_the_effect_is_unknown_where_a_change_may_have_happened(bank, failure, method, status, is_unknown):
    bank.answers("/", status)

    error = failure(connection="bank", method=method, path="/")

    assert error.details["status"] == status
    assert (error.details.get("effect") == "unknown") is is_unknown


@pytest.mark.parametrize("expected", [404, "404", "4xx", "400-404", [200, 404], ["2xx", "4xx"]])
def test_ok_status_says_what_counts_as_success(bank, call, expected):
    assert call(connection="bank", path="/missing", ok_status=expected)["status"] == 404


def test_ok_status_may_leave_200_out(bank, failure):
    bank.answers("/", 200)

    assert failure(connection="bank", path="/", ok_status=201).details["status"] == 200


def test_head_and_empty_answers_have_no_body(bank, call):
    bank.answers("/", 200, b"12345", Content_Type="application/json", Content_Encoding="gzip")

    result = call(connection="bank", method="HEAD", path="/")

    assert (result["json"], result["text"]) == (None, "")


def test_no_answer_after_sending_leaves_the_effect_unknown(bank, failure):
    bank.writes("/", lambda: iter([b""]))

    error = failure(connection="bank", method="POST", path="/")
    asked = failure(connection="bank", method="GET", path="/")

    assert (error.code, error.recoverable) == ("HTTP_NO_ANSWER", True)
    assert error.details == {"status": 0, "effect": "unknown"}
    assert asked.details == {"status": 0}


def test_a_refused_connection_had_no_effect(settings, failure):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.ORCHESTRATOR_CONNECTIONS = {"bank": {"base_url": f"http://127.0.0.1:{taken.getsockname()[1]}"}}

        error = failure(connection="bank", method="POST")

    assert (error.code, error.recoverable, error.details) == ("HTTP_NO_ANSWER", True, {"status": 0})


def test_an_unknown_name_had_no_effect(failure, monkeypatch):
    def fail(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    error = failure(url="http://nowhere.example/", method="POST")

    assert (error.code, error.details) == ("HTTP_NO_ANSWER", {"status": 0})


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"connection": "bank", "url": "http://x.example/"},
        {"url": "http://x.example/", "path": "/a"},
        {"connection": "bank", "method": "TRACE"},
        {"connection": "bank", "method": "get"},
        {"connection": "bank", "json": {}, "body": "x"},
        {"connection": "bank", "path": "/a/../../secret"},
        {"connection": "bank", "path": "/%2e%2e/secret"},
        {"connection": "bank", "path": "..\\secret"},
        {"connection": "bank", "path": "/a\r\nX-Evil: 1"},
        {"connection": "bank", "path": "/a b"},
        {"connection": "bank", "headers": {"X-A": "1\r\nX-Evil: 1"}},
        {"connection": "bank", "headers": {"X-A": "1\n"}},
        {"connection": "bank", "headers": {"X-A\r\nX-Evil": "1"}},
        {"connection": "bank", "headers": {"X-A": "\x00"}},
        {"connection": "bank", "headers": {"X-A": "ü"}},
        {"connection": "bank", "headers": {"Host": "other.example"}},
        {"connection": "bank", "headers": {"Transfer-Encoding": "chunked"}},
        {"connection": "bank", "headers": {"content-length": "3"}},
        {"connection": "bank", "timeout": "soon"},
        {"connection": "bank", "timeout": -1},
        {"connection": "bank", "ok_status": "fine"},
        {"connection": "bank", "follow_redirects": 6},
        {"connection": "bank", "verify": False},
        {"url": "http://user:password@x.example/"},
        {"url": "http:///path"},
        {"url": "http://x.example:99999/"},
        {"url": "http://x.example\r\n/"},
    ],
)
def test_parameters_that_make_no_request_are_refused_for_good_and_nothing_is_sent(bank, failure, parameters):
    error = failure(**parameters)

    assert (error.code, error.recoverable) == ("INVALID_PARAMETERS", False)
    assert bank.seen == []


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        (None, "UNKNOWN_CONNECTION"),
        ({}, "CONNECTION_INVALID"),
        ({"base_url": "ftp://x"}, "CONNECTION_INVALID"),
        ({"base_url": "http://u:p@x"}, "CONNECTION_INVALID"),
        ({"base_url": "http://x", "secret_env": {"Authorization": "NO_SUCH_VARIABLE"}}, "CONNECTION_INVALID"),
        ({"base_url": "http://x", "headers": {"A": "1\r\nB: 2"}}, "CONNECTION_INVALID"),
        ({"base_url": "http://x", "allow_everything": True}, "CONNECTION_INVALID"),
        ({"base_url": "http://x", "allow_hosts": ["10.0.0.0/99"]}, "EGRESS_RULE_INVALID"),
    ],
)
def test_a_connection_that_is_not_set_up_soundly_is_named(settings, failure, definition, code):
    settings.ORCHESTRATOR_CONNECTIONS = {"bank": definition} if definition is not None else {}

    error = failure(connection="bank")

    assert (error.code, error.recoverable, error.details["status"]) == (code, False, 0)


def test_calls_share_a_connection_of_their_process(bank, call):
    bank.answers("/", body=b"x")

    for _ in range(3):
        call(connection="bank", path="/")

    assert len({seen.peer for seen in bank.seen}) == 1


def test_cookies_of_one_call_do_not_reach_the_next(bank, call):
    bank.answers("/", Set_Cookie="session=someone-else")

    for _ in range(2):
        call(connection="bank", path="/")

    assert all("cookie" not in seen.headers for seen in bank.seen)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of threads beside a fork
def test_a_forked_child_has_no_part_in_its_parents_connections(bank, call):
    bank.answers("/")
    call(connection="bank", path="/")

    child = os.fork()
    if child == 0:
        os._exit(len(http_transport._transports))
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert len(http_transport._transports) == 1


@pytest.mark.parametrize(("said", "seconds"), [("120", 120), ("soon", None), ("-1", None)])
def test_a_refusal_that_asks_to_wait_says_for_how_long(bank, call, said, seconds):
    bank.answers("/orders", 429, Retry_After=said)

    with pytest.raises(ActivityError) as refused:
        call(connection="bank", path="/orders")

    assert refused.value.details.get("retry_after") == seconds
    assert refused.value.recoverable
