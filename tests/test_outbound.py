"""Addresses that somebody typed in are called without harm to anybody, ourselves first.

The servers are real and on this machine, which only the operator's setting lets us call; names
that resolve to hostile addresses are played.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from marketplace.addresses import AddressRefused, parse_allowed, parse_url
from marketplace.errors import Busy, NotConfigured, UsageError
from marketplace.outbound import CHECKED_AT_ONCE, Identity, Outbound, Unanswered, Unreachable

Serve = Callable[..., int]
HOME = parse_allowed("127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
"""The server closes, and says so: else a request might go out before that is seen."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that reads one request, keeps it, and plays `answer`; returns its port."""
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(
        answer: bytes | Callable[[socket.socket], None],
        *,
        tls: ssl.SSLContext | None = None,
        heard: list[bytes] | None = None,
    ) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)

        def run() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                try:
                    with tls.wrap_socket(plain, server_side=True) if tls else plain as line:
                        asked = _request(line)
                        if heard is not None:
                            heard.append(asked)
                        if callable(answer):
                            answer(line)
                        else:
                            line.sendall(answer)
                except OSError:
                    continue

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    for each in opened:
        each.shutdown(socket.SHUT_RDWR)
        each.close()
    for thread in threads:
        thread.join(5)


def _request(line: socket.socket) -> bytes:
    asked = line.recv(65_536)
    while asked.startswith(b"POST") and b"Content-Length: 2" in asked and asked[-2:] != b"{}":
        asked += line.recv(65_536)
    return asked


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://partner.example/", "https://"),
        ("//partner.example/", "https://"),
        ("https:///hook", "https://"),
        ("javascript:alert(1)", "https://"),
        ("https://user:secret@partner.example/", "user name"),
        ("https://partner.example@10.0.0.1/", "user name"),
        ("https://partner.example/#part", "#"),
        ("https://partner.example:0/", "1 to 65535"),
        ("https://partner.example:/", "1 to 65535"),
        ("https://partner.example:99999/", "not well formed"),
        ("https://partner.example:٤٤٣/", "not well formed"),
        ("https://partner.example./", "dot"),
        ("https://partner..example/", "not well formed"),
        ("https://-partner.example/", "not well formed"),
        ("https://part%6eer.example/", "not well formed"),
        ("https://partner.example\\@127.0.0.1/", "user name"),
        ("https://127.0.0.1\\.partner.example/", "%XX"),
        ("https://partner.example/a b", "%XX"),
        ("https://partner.example/a\r\nHost: other", "%XX"),
        ("https://partner.example/é", "%XX"),
        ("https://2130706433/", "four numbers"),
        ("https://0x7f000001/", "four numbers"),
        ("https://0x7f.1/", "four numbers"),
        ("https://0177.0.0.1/", "four numbers"),
        ("https://127.1/", "four numbers"),
        ("https://127.0.0.01/", "four numbers"),
        ("https://partner.0x/", "four numbers"),
        ("https://[::1%25eth0]/", "brackets"),
        ("https://[v1.x]/", "not well formed|brackets"),
        ("https://partner.example/" + "x" * 2048, "longer"),
    ],
)
def test_forms_that_can_be_read_in_two_ways_are_refused(url: str, words: str) -> None:
    with pytest.raises(AddressRefused, match=words):
        parse_url(url)


def test_names_of_other_scripts_become_ascii() -> None:
    assert parse_url("https://Bücher.example/hook?x=1").host == "xn--bcher-kva.example"
    assert parse_url("https://Partner.EXAMPLE").path == "/"
    assert parse_url("https://[2A00:1450::1]:8443/x").authority == "[2a00:1450::1]:8443"


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.1", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.9.9.9"),
        *("168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192"),
        *("192.88.99.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::7f00:1"),
        *("64:ff9b:1::a00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1"),
        *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
    ],
)
def test_a_name_that_leads_into_no_public_network_is_refused(address: str) -> None:
    both = Outbound(resolve=lambda host, port: ["93.184.216.34", address])
    with pytest.raises(AddressRefused) as refused:
        both.check("https://partner.example/hook")
    # Whoever typed the name does not learn what it means in our network.
    assert address not in refused.value.detail
    if "%" not in address:
        literal = f"[{address}]" if ":" in address else address
        with pytest.raises(AddressRefused):
            Outbound().call("POST", f"https://{literal}/")


def test_public_addresses_may_be_called() -> None:
    public = Outbound(resolve=lambda host, port: ["93.184.216.34", "2606:4700::6810:84e5"])
    public.check("https://partner.example/hook")
    public.check("https://partner.example:8443/hook")
    for url, words in (
        ("http://partner.example/hook", "https://"),
        ("https://partner.example:25/hook", "another service"),
        ("https://127。0。0。1/", "network"),
    ):
        with pytest.raises(AddressRefused, match=words):
            public.check(url)


@pytest.mark.parametrize("answer", [[], ["not an address"], OSError("no such name")])
def test_a_name_without_an_address_is_unreachable(answer: list[str] | OSError) -> None:
    def resolve(host: str, port: int) -> list[str]:
        if isinstance(answer, OSError):
            raise answer
        return answer

    with pytest.raises(Unreachable, match=r"partner\.example"):
        Outbound(resolve=resolve).check("https://partner.example/")


def test_a_name_server_that_hangs_holds_nobody() -> None:
    release = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        release.wait(30)
        return ["93.184.216.34"]

    with pytest.raises(Unreachable, match="name server"):
        Outbound(resolve=hang).call("GET", "https://partner.example/", timeout_s=0.05)
    release.set()


def test_what_the_operator_allows_is_called(serve: Serve) -> None:
    heard: list[bytes] = []
    port = serve(OK, heard=heard)
    url = f"http://127.0.0.1:{port}/orders?x=1"
    with pytest.raises(AddressRefused):
        Outbound().call("POST", url)
    answer = Outbound(HOME).call("POST", url, body=b"{}", headers={"Webhook-Id": "1"})
    assert (answer.status, answer.body, answer.truncated) == (200, b"ok", False)
    head = heard[0].lower()
    assert head.startswith(b"post /orders?x=1 http/1.1\r\n")
    assert f"host: 127.0.0.1:{port}\r\n".encode() in head
    assert b"webhook-id: 1\r\n" in head
    assert head.endswith(b"\r\n\r\n{}")
    by_name = Outbound(parse_allowed("Partner.internal"), resolve=lambda host, port: ["127.0.0.1"])
    assert by_name.call("GET", f"http://partner.internal:{port}/").status == 200
    with pytest.raises(AddressRefused):
        by_name.call("GET", f"http://other.internal:{port}/")


@pytest.mark.parametrize("setting", ["10.0.0.1/8", "partner example", "127.1", "*.example", "a/b"])
def test_an_allowance_that_is_no_network_and_no_name_stops_the_program(setting: str) -> None:
    with pytest.raises(UsageError, match="OUTBOUND_ALLOW"):
        parse_allowed(f"192.168.0.0/16, {setting}")


def test_the_connection_goes_to_the_address_that_was_checked(serve: Serve) -> None:
    """A name that changes its mind after the check gains nothing: it is asked once."""
    port = serve(OK)
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1" if len(asked) == 1 else "169.254.169.254"]

    allowed = Outbound(HOME, resolve=rebinding)
    assert allowed.call("GET", f"http://rebind.example:{port}/").status == 200
    assert asked == ["rebind.example"]
    with pytest.raises(AddressRefused):
        allowed.call("GET", f"http://rebind.example:{port}/")


def test_the_second_address_is_tried_where_the_first_does_not_answer(serve: Serve) -> None:
    port = serve(OK)
    two = Outbound(parse_allowed("127.0.0.0/8"), resolve=lambda h, p: ["127.0.0.2", "127.0.0.1"])
    assert two.call("GET", f"http://partner.example:{port}/").status == 200


def test_redirects_are_an_answer_like_any(serve: Serve) -> None:
    port = serve(
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    )
    answer = Outbound(HOME).call("GET", f"http://127.0.0.1:{port}/")
    assert (answer.status, answer.headers["location"]) == (302, "http://169.254.169.254/")


def test_proxies_of_the_environment_are_not_used(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert Outbound(HOME).call("GET", f"http://127.0.0.1:{serve(OK)}/").status == 200


def test_a_long_answer_is_cut(serve: Serve) -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5_000_000
    answer = Outbound(HOME).call("GET", f"http://127.0.0.1:{serve(long)}/", limit_bytes=1000)
    assert (len(answer.body), answer.truncated) == (1000, True)


def _endless_headers(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        line.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")


def _endless_hints(line: socket.socket) -> None:
    while True:
        line.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        _endless_headers,
        _endless_hints,
    ],
)
def test_an_answer_that_is_none_leaves_the_outcome_open(
    serve: Serve, answer: bytes | Callable[[socket.socket], None]
) -> None:
    with pytest.raises(Unanswered):
        Outbound(HOME).call("POST", f"http://127.0.0.1:{serve(answer)}/", body=b"{}")


def test_a_server_that_drips_is_cut_off_in_time(serve: Serve) -> None:
    """Each byte comes in time; all of them together would take minutes."""
    stop = threading.Event()

    def drip(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not stop.wait(0.02):
            line.sendall(b"x")

    started = time.monotonic()
    with pytest.raises(Unanswered):
        Outbound(HOME).call("GET", f"http://127.0.0.1:{serve(drip)}/", timeout_s=2)
    stop.set()
    assert time.monotonic() - started < 600  # all of them take half an hour


def test_a_server_that_never_lets_us_wait_is_cut_off_in_time_too(serve: Serve) -> None:
    """No read runs out of time by itself: the next bytes are always there."""
    stop = threading.Event()

    def pour(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while not stop.is_set():
            line.sendall(b"x" * 256)  # more than is read, less than the whole in the time

    url = f"http://127.0.0.1:{serve(pour)}/"
    try:
        with pytest.raises(Unanswered):
            Outbound(HOME).call("GET", url, timeout_s=2, limit_bytes=1_000_000_000)
    finally:
        stop.set()


def test_names_that_nobody_answers_for_take_a_few_threads_at_most() -> None:
    """Somebody may type many, of a name server of their own."""
    release = threading.Event()
    begun = threading.Semaphore(0)

    def hang(host: str, port: int) -> list[str]:
        begun.release()
        release.wait(600)
        return ["93.184.216.34"]

    outbound = Outbound(resolve=hang)
    with ThreadPoolExecutor(CHECKED_AT_ONCE) as pool:
        waiting = [
            pool.submit(outbound.check, "https://partner.example/") for _ in range(CHECKED_AT_ONCE)
        ]
        for _ in waiting:
            begun.acquire()
        with pytest.raises(Busy):
            outbound.check("https://partner.example/", timeout_s=0.2)
        release.set()
        for each in waiting:
            each.result()
    outbound.check("https://partner.example/")


def test_a_closed_port_is_told_from_a_lost_answer() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="connection"):
        Outbound(HOME).call("POST", f"http://127.0.0.1:{port}/", body=b"{}")


# -- TLS -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of `partner.example`, signed by itself, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "partner.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("partner.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "partner.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_the_certificate_must_be_that_of_the_name_in_the_address(
    serve: Serve, certificate: Path
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    names: list[str | None] = []
    server.sni_callback = lambda _, name, __: names.append(name)
    port = serve(OK, tls=server)
    trusting = ssl.create_default_context(cafile=str(certificate))

    def calling(tls: ssl.SSLContext | None) -> Outbound:
        return Outbound(HOME, resolve=lambda host, port: ["127.0.0.1"], tls=tls)

    answer = calling(trusting).call("GET", f"https://partner.example:{port}/")
    assert (answer.status, names) == (200, ["partner.example"])
    # The right address under another name, or a certificate that nobody vouches for: not it.
    with pytest.raises(Unreachable, match="certificate"):
        calling(trusting).call("GET", f"https://other.example:{port}/")
    with pytest.raises(Unreachable, match="certificate"):
        calling(None).call("POST", f"https://partner.example:{port}/", body=b"{}")


def test_a_line_leads_to_one_host_and_shows_only_an_identity_that_is_one(serve: Serve) -> None:
    port = serve(OK)
    outbound = Outbound(HOME)
    with outbound.line(f"http://127.0.0.1:{port}/") as line:
        assert line.call("GET", f"http://127.0.0.1:{port}/a").body == b"ok"
        assert line.call("GET", f"http://127.0.0.1:{port}/b").body == b"ok"
        with pytest.raises(AddressRefused, match="leads to"):
            line.call("GET", f"http://127.0.0.1:{port + 1}/")
    nobody = Identity(certificate=b"nonsense", key=b"nonsense")
    with (
        pytest.raises(NotConfigured, match="cannot be used"),
        outbound.line(f"https://127.0.0.1:{port}/", identity=nobody),
    ):
        pass
    with pytest.raises(AddressRefused), outbound.line("https://10.0.0.1/"):
        pass
