"""Which addresses of the internet a tool may connect to: those that everybody can reach, and no others."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# The only space from which global IPv6 addresses are given out, and what in it is not what it seems:
# Teredo and other special purposes, documentation, 6to4 (an IPv4 address inside, public or not).
_GLOBAL_6 = IPv6Network("2000::/3")
_SPECIAL_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# 6to4 relays, and NAT64's well-known prefix, are not caught by is_global everywhere.
_SPECIAL_4 = (IPv4Network("192.88.99.0/24"),)


def is_public(address: str) -> bool:
    """Whether ``address``, written as numbers, is a global unicast address. What is no address is not public.

    Mapped IPv4 is judged by the IPv4 address; NAT64, 6to4 and Teredo are refused whole, since what they lead to
    depends on the network we are in; so are carrier-grade NAT, link-local (cloud metadata) and multicast.
    Source: IANA's special-purpose address registries (RFC 6890 and successors).
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return _public_4(mapped) if mapped is not None else _public_6(parsed)
    return _public_4(parsed)


def _public_4(address: IPv4Address) -> bool:
    special = address.is_multicast or address.is_reserved or any(address in network for network in _SPECIAL_4)
    return address.is_global and not special


def _public_6(address: IPv6Address) -> bool:
    special = address.scope_id is not None or any(address in network for network in _SPECIAL_6)
    return address in _GLOBAL_6 and not special
