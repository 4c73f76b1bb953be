"""Who the phone trusts: its own key, the computers paired with it, and the TLS that both sides speak then.

The computer makes all certificates, the phone's too (facts, iOS §1 and §4); the phone keeps those of each computer and
takes the computer's own or its root as client certificate. Keys are made when first asked for: that is slow.
"""

from __future__ import annotations

import ssl
import tempfile
import threading
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from provision.virtual.ios.phone import Host


class NoPairRecord(ValueError):
    """What a computer offers as pair record lacks a certificate, or certifies another phone's key."""


class DeviceKey:
    """The phone's key pair."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: rsa.RSAPrivateKey | None = None

    def forget(self) -> None:
        """An erase: the next one asked for is another."""
        with self._lock:
            self._key = None

    def private(self) -> rsa.RSAPrivateKey:
        with self._lock:
            if self._key is None:
                self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            return self._key

    def public_pem(self) -> bytes:
        """``DevicePublicKey``: PKCS#1, the only form that libimobiledevice reads."""
        return self.private().public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)


def host_of(record: Mapping[str, Any], key: DeviceKey, *, supervisor: bool) -> Host:
    """The computer that offers this pair record. Raises NoPairRecord."""
    try:
        host = Host(
            host_id=str(record["HostID"]),
            system_buid=str(record.get("SystemBUID", "")),
            device_certificate=_pem(record, "DeviceCertificate"),
            host_certificate=_pem(record, "HostCertificate"),
            root_certificate=_pem(record, "RootCertificate"),
            supervisor=supervisor,
        )
        context(host, key)  # which fails where the certificate is for another key
    except (KeyError, TypeError, ValueError, ssl.SSLError) as error:
        raise NoPairRecord(f"{type(error).__name__}: {error}") from None
    return host


def _pem(record: Mapping[str, Any], key: str) -> bytes:
    found = record[key]
    if not isinstance(found, bytes):
        raise TypeError(f"{key} must be data")
    return found


def context(host: Host, key: DeviceKey) -> ssl.SSLContext:
    """The phone's side of TLS with that computer. ValueError or SSLError when the certificates are none."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers("DEFAULT:@SECLEVEL=0")  # libimobiledevice signs its certificates with SHA-1 for old iOS
    made.num_tickets = 0
    made.verify_mode = ssl.CERT_REQUIRED
    # All certificates have an empty subject, so that the computer's own looks as if it had issued itself.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for trusted in (host.host_certificate, host.root_certificate):
        made.load_verify_locations(cadata=trusted.decode("ascii"))
    with tempfile.NamedTemporaryFile() as file:
        own = key.private().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        file.write(host.device_certificate.rstrip() + b"\n" + own)
        file.flush()
        made.load_cert_chain(file.name)
    return made
