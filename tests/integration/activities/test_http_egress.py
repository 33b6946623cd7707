"""http.request reaches what is public or allowed, judged by the address it really connects to."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading

import httpcore
import pytest

PUBLIC = "93.184.216.34"


class Names(dict[str, list[list[str]]]):
    """Answers by name, and the questions that were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []


@pytest.fixture
def names(monkeypatch):
    """A resolver of one's own: ``names[host] = [answer of the first question, of the second, …]``."""
    table = Names()
    system = socket.getaddrinfo

    def resolve(host, port, *args, **kwargs):
        if host not in table:
            return system(host, port, *args, **kwargs)
        table.asked.append(host)
        queue = table[host]
        found = queue.pop(0) if len(queue) > 1 else queue[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return table


@pytest.fixture
def connected(monkeypatch):
    """Every address that a socket was about to be opened to; nothing leaves the machine."""
    tried: list[str] = []

    def refuse(self, host, port, **kwargs):
        tried.append(host)
        raise httpcore.ConnectError("nothing leaves the machine")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", refuse)
    return tried


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "LOCALHOST", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "2130706433", "0x7f000001", "017700000001", "0177.0.0.1",
        "0x7f.1", "127.1", "127.0.1", "127.0.0.1.", "１２７.０.０.１", "169.254.169.254", "[fe80::1]", "[fd00::1]",
        "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[ff02::1]",
        "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    ],
)  # fmt: skip
def test_addresses_of_the_inside_are_denied_in_every_spelling(site, failure, connected, host):
    error = failure(url=f"http://{host}:{site.port}/")

    assert error.code in ("EGRESS_DENIED", "INVALID_PARAMETERS")
    assert error.code == "EGRESS_DENIED" or host == "１２７.０.０.１"
    assert error.recoverable is False
    assert (connected, site.seen) == ([], [])


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://1.1.1.1/", "ftp://1.1.1.1/", "//1.1.1.1/", "/etc"])
def test_other_schemes_are_denied(failure, url):
    assert failure(url=url).code == "EGRESS_DENIED"


def test_a_public_name_is_connected_by_the_address_that_was_checked(failure, names, connected):
    names["shop.example"] = [[PUBLIC]]

    error = failure(url="http://shop.example/")

    assert error.code == "HTTP_NO_ANSWER"
    assert connected == [PUBLIC]
    assert names.asked == ["shop.example"]


def test_a_name_that_leads_inside_is_denied(failure, names, connected):
    names["inside.example"] = [["10.0.0.7"]]

    assert failure(url="http://inside.example/").code == "EGRESS_DENIED"
    assert connected == []


def test_one_inside_address_among_public_ones_denies_the_name(failure, names, connected):
    names["mixed.example"] = [[PUBLIC, "::ffff:127.0.0.1"]]

    assert failure(url="http://mixed.example/").code == "EGRESS_DENIED"
    assert connected == []


def test_a_name_that_changes_its_mind_after_the_check_gains_nothing(failure, names, connected):
    names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]

    first = failure(url="http://rebind.example/")
    second = failure(url="http://rebind.example/")

    assert (first.code, second.code) == ("HTTP_NO_ANSWER", "EGRESS_DENIED")
    assert connected == [PUBLIC]


def test_a_proxy_of_the_environment_is_ignored(site, other_site, settings, call, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, other_site.url)
    settings.ORCHESTRATOR_EGRESS_ALLOW = ["127.0.0.1"]
    site.answers("/", body=b"direct")

    assert call(url=site.url)["text"] == "direct"
    assert other_site.seen == []


@pytest.mark.parametrize("rule", ["127.0.0.1", "127.0.0.0/8", "shop.example", "shop.example:{port}"])
def test_an_administrator_may_allow_a_host_or_a_block(site, settings, call, names, rule):
    names["shop.example"] = [["127.0.0.1"]]
    settings.ORCHESTRATOR_EGRESS_ALLOW = [rule.format(port=site.port)]
    site.answers("/", body=b"hello")

    assert call(url=f"http://shop.example:{site.port}/")["text"] == "hello"
    assert site.seen[0].headers["host"] == f"shop.example:{site.port}"


def test_a_connection_opens_its_own_host_and_port_and_no_other(bank, other_site, call, failure):
    bank.answers("/", body=b"hello")

    assert call(connection="bank", path="/")["text"] == "hello"
    assert failure(url=f"{bank.url}/").code == "EGRESS_DENIED"
    assert failure(url=f"{other_site.url}/").code == "EGRESS_DENIED"
    assert (len(bank.seen), other_site.seen) == (1, [])


@pytest.mark.parametrize("path", ["//{other}/x", "/\\{other}/x", "@{other}/x", "/x@{other}", "http://{other}/", ":1/"])
def test_a_path_cannot_change_the_connections_host(bank, other_site, failure, path):
    error = failure(connection="bank", path=path.format(other=f"127.0.0.1:{other_site.port}"))

    assert error.code in ("HTTP_ERROR", "INVALID_PARAMETERS")
    assert other_site.seen == []


def test_a_connection_that_allows_private_addresses_may_be_led_there(site, other_site, settings, call):
    settings.ORCHESTRATOR_CONNECTIONS = {"inside": {"base_url": site.url, "allow_private": True}}
    site.answers("/", 302, Location=f"{other_site.url}/there")
    other_site.answers("/there", body=b"there")

    assert call(connection="inside", path="/", follow_redirects=1)["text"] == "there"


def test_tls_checks_the_name_and_not_the_address(settings, call, failure, names, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example",
         "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked: list[str | None] = []
    context.sni_callback = lambda sock, name, _: asked.append(name)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve() -> None:
        for _ in range(2):
            plain, _ = listener.accept()
            try:
                with context.wrap_socket(plain, server_side=True) as stream:
                    stream.recv(4096)
                    stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    names["shop.example"] = names["other.example"] = [["127.0.0.1"]]
    settings.ORCHESTRATOR_EGRESS_ALLOW = ["127.0.0.1"]
    settings.ORCHESTRATOR_HTTP_CA_FILE = str(certificate)

    assert call(url=f"https://shop.example:{port}/")["text"] == "ok"
    wrong = failure(url=f"https://other.example:{port}/", method="POST")

    thread.join(5)
    listener.close()
    assert asked == ["shop.example", "other.example"]
    assert (wrong.code, wrong.details) == ("HTTP_NO_ANSWER", {"status": 0})
