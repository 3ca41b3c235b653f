"""Whether an address may be spoken to, and what its root is."""

from __future__ import annotations

from ipaddress import ip_address

from yarl import URL

from qawait.errors import ConfigurationError

__all__ = ["checked_root", "is_loopback"]


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine, so that plain http is allowed."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def checked_root(url: str) -> URL:
    """The service's address with a slash at its end.

    Raises:
        ConfigurationError: It is no http address, holds a password or a query, or is
            unencrypted and not on this machine.
    """
    try:
        root = URL(url)
    except ValueError:
        raise ConfigurationError(f"{url!r} is not an address") from None
    if root.scheme not in ("http", "https") or not root.host:
        raise ConfigurationError(f"{url!r} is not an http or https address")
    if root.user or root.password or root.query_string or root.fragment:
        raise ConfigurationError(
            "the address must hold neither a password nor a query; "
            "give the token separately"
        )
    if root.scheme == "http" and not is_loopback(root.host):
        raise ConfigurationError(
            f"http://{root.host} would send the token unencrypted; use https"
        )
    return root.with_path(root.path.rstrip("/") + "/")
