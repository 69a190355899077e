"""Which addresses may be called: taken apart without doubt, and in which networks they may lie.

Pure: nothing here asks a name server or opens a connection (`marketplace.outbound` does).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

import idna
import msgspec

from marketplace.errors import MarketplaceError, UsageError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_URL: Final = 2048

# Each is read as text, so that what is refused does not change with the version of Python.
NOT_PUBLIC_V4: Final = tuple(
    ipaddress.IPv4Network(each)
    for each in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' NAT, and the metadata service of one cloud
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's host service, though the address is public
        "169.254.0.0/16",  # link local, and the metadata service of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
"""All that is allocated as global unicast; mapped, NAT64, local and multicast lie outside."""
NOT_PUBLIC_V6: Final = tuple(
    ipaddress.IPv6Network(each)
    for each in (
        "2001::/23",  # protocol assignments, among them Teredo, which carries an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries an IPv4 address
        "3fff::/20",  # documentation
    )
)

LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
PRINTABLE: Final = re.compile(r"[!-~]+")


class AddressRefused(MarketplaceError):
    code = "address_refused"
    title = "This marketplace does not call this address"
    status = 422


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An address taken apart and found to be well formed."""

    scheme: str
    host: str
    """As it goes into DNS, TLS and the header Host: ASCII, lower case, no brackets."""
    port: int
    path: str

    @property
    def authority(self) -> str:
        """For the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default_port(self.scheme) else f"{host}:{self.port}"


class Allowed(msgspec.Struct, frozen=True):
    """What the operator allows besides the public internet (MARKETPLACE_OUTBOUND_ALLOW)."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    def covers(self, host: str, address: Address) -> bool:
        """Whether this address of this host is allowed by name or by network."""
        return host in self.hosts or any(address in network for network in self.networks)


def parse_allowed(setting: str) -> Allowed:
    """Read comma separated networks (`10.1.0.0/16`, `::1`) and host names. UsageError: neither."""
    networks: list[Network] = []
    hosts: set[str] = set()
    for word in (each.strip().lower() for each in setting.split(",")):
        if not word:
            continue
        try:
            networks.append(ipaddress.ip_network(word))
        except ValueError:
            if "/" in word or _looks_numeric(word) or not _is_name(word):
                raise UsageError(
                    f"MARKETPLACE_OUTBOUND_ALLOW: {word!r} is neither a network nor a host name."
                ) from None
            hosts.add(word)
    return Allowed(tuple(networks), frozenset(hosts))


def parse_url(url: str) -> Target:
    """Take an address apart; AddressRefused for every form that two readers could read in two ways.

    Names in other scripts are turned into ASCII as DNS has them.
    """
    if len(url) > LONGEST_URL:
        raise AddressRefused(f"The address is longer than {LONGEST_URL} characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"The address is not well formed: {error}.") from None
    scheme = parts.scheme
    if scheme not in ("https", "http") or not parts.netloc:
        raise AddressRefused("The address must begin with https:// and name a host.")
    if "@" in parts.netloc:
        raise AddressRefused("An address with a user name or password is not called.")
    if "#" in url:
        raise AddressRefused("An address has no part after #.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # urlsplit drops tabs and line breaks silently; what was typed must not hold any.
    if re.search(r"[\s\x00-\x1f\x7f\\]", url) or not PRINTABLE.fullmatch(path):
        raise AddressRefused("The address holds characters that must be written as %XX.")
    if port == 0 or parts.netloc.endswith(":"):
        raise AddressRefused("The port must be a number from 1 to 65535.")
    return Target(scheme=scheme, host=_host(parts), port=port or default_port(scheme), path=path)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, and leads nowhere else."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_V4)
    if address.scope_id is not None or address not in PUBLIC_V6:
        return False
    return not any(address in network for network in NOT_PUBLIC_V6)


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        literal = literal_of(host)
        if literal is None or "%" in host:
            raise AddressRefused("What stands in brackets is no IPv6 address.")
        return str(literal)
    try:
        host = idna.encode(host, uts46=True).decode() if not host.isascii() else host.lower()
    except idna.IDNAError as error:
        raise AddressRefused(f"The host name is not well formed: {error}.") from None
    if host.endswith("."):
        raise AddressRefused("The host name must not end with a dot.")
    if _looks_numeric(host):
        # 127.1, 0x7f.1, 2130706433 and 0177.0.0.1 are all addresses to somebody.
        if literal_of(host) is None:
            raise AddressRefused("An IPv4 address is written as four numbers, e.g. 192.0.2.1.")
        return host
    if not _is_name(host):
        raise AddressRefused("The host name is not well formed.")
    return host


def _looks_numeric(host: str) -> bool:
    return NUMBER.fullmatch(host.rsplit(".", 1)[-1]) is not None


def _is_name(host: str) -> bool:
    return len(host) <= 253 and all(LABEL.fullmatch(label) for label in host.split("."))


def literal_of(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
