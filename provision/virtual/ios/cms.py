"""Signed messages (CMS SignedData, RFC 5652): whether the signature is true, over what, and by whom.

Signed profiles come so, and so do the answers of supervisors to a challenge (facts, iOS §1). Both DER and BER with
indefinite lengths are read, as streaming signers write the latter. Whether the signer's certificate has ended or is
trusted is not looked at: the phone compares certificates byte by byte where it matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
_HASHES: dict[bytes, hashes.HashAlgorithm] = {
    bytes.fromhex("2b0e03021a"): hashes.SHA1(),  # noqa: S303 - profiles signed long ago are accepted, too
    bytes.fromhex("608648016503040201"): hashes.SHA256(),
    bytes.fromhex("608648016503040202"): hashes.SHA384(),
    bytes.fromhex("608648016503040203"): hashes.SHA512(),
}
_OCTETS, _SEQUENCE, _SET = 0x04, 0x30, 0x31
_DEEPEST = 32


class Unsigned(Exception):
    """No signed message, or its signature is not true."""


@dataclass(frozen=True)
class Signed:
    """What was signed, the certificate of the signer and all certificates that came with it (DER, in order)."""

    content: bytes
    signer: bytes
    certificates: tuple[bytes, ...]


@dataclass(frozen=True)
class _Node:
    """One BER element: ``raw`` is all of it, ``body`` what is in it, ``parts`` its elements if it is constructed."""

    tag: int
    raw: bytes
    body: bytes
    parts: tuple[_Node, ...]

    def octets(self) -> bytes:
        """The bytes of an OCTET STRING, however it is cut up."""
        return b"".join(part.octets() for part in self.parts) if self.parts else self.body


def verify(message: bytes) -> Signed:
    """The content of a message that carries it and whose every signature is true. Raises Unsigned."""
    try:
        return _verify(message)
    except (IndexError, ValueError, UnsupportedAlgorithm, RecursionError) as error:
        raise Unsigned(f"no signed message: {error}") from None


def _verify(message: bytes) -> Signed:
    outer, _ = _element(message, 0, 0)
    if outer.tag != _SEQUENCE or outer.parts[0].body != _SIGNED_DATA:
        raise Unsigned("no signed message")
    fields = outer.parts[1].parts[0].parts
    content = _content(fields[2])
    certificates = [part.raw for field in fields if field.tag == 0xA0 for part in field.parts]
    signers = fields[-1].parts
    if fields[-1].tag != _SET or not signers:
        raise Unsigned("nobody signed it")
    parsed = [x509.load_der_x509_certificate(der) for der in certificates]
    found = [_check_signer(signer, content, parsed) for signer in signers]
    return Signed(content, found[0].public_bytes(Encoding.DER), tuple(certificates))


def _content(encapsulated: _Node) -> bytes:
    if len(encapsulated.parts) < 2:
        raise Unsigned("what was signed is not in it")
    return encapsulated.parts[1].parts[0].octets()


def _check_signer(info: _Node, content: bytes, certificates: list[x509.Certificate]) -> x509.Certificate:
    identity, digest = info.parts[1], _HASHES.get(info.parts[2].parts[0].body)
    if digest is None:
        raise Unsigned("an unknown kind of digest")
    certificate = next((found for found in certificates if _is_of(identity, found)), None)
    if certificate is None:
        raise Unsigned("the signer's certificate is not in it")
    attributes = next((part for part in info.parts if part.tag == 0xA0), None)
    signed = content
    if attributes is not None:
        if _attribute(attributes, _MESSAGE_DIGEST) != _digest(digest, content):
            raise Unsigned("the content is not what was signed")
        signed = bytes([_SET]) + attributes.raw[1:]
    signature = next(part for part in info.parts[4 if attributes is not None else 3 :] if part.tag == _OCTETS)
    try:
        _check(certificate, signature.octets(), signed, digest)
    except InvalidSignature:
        raise Unsigned("the signature is not true") from None
    return certificate


def _is_of(identity: _Node, certificate: x509.Certificate) -> bool:
    if identity.tag == _SEQUENCE:
        issuer, serial = identity.parts
        number = int.from_bytes(serial.body, "big", signed=True)
        return issuer.raw == certificate.issuer.public_bytes() and number == certificate.serial_number
    try:
        key = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return False
    return identity.octets() == key


def _attribute(attributes: _Node, kind: bytes) -> bytes | None:
    for attribute in attributes.parts:
        if attribute.parts[0].body == kind:
            return attribute.parts[1].parts[0].octets()
    return None


def _digest(kind: hashes.HashAlgorithm, data: bytes) -> bytes:
    running = hashes.Hash(kind)
    running.update(data)
    return running.finalize()


def _check(certificate: x509.Certificate, signature: bytes, data: bytes, kind: hashes.HashAlgorithm) -> None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, data, padding.PKCS1v15(), kind)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, data, ec.ECDSA(kind))
    else:
        raise Unsigned("an unknown kind of key")


def _element(data: bytes, start: int, depth: int) -> tuple[_Node, int]:
    """The element that starts there, and where the next one starts. Raises IndexError and ValueError."""
    tag, first = data[start], data[start + 1]
    if tag & 0x1F == 0x1F or depth > _DEEPEST:
        raise ValueError("not understood")
    at = start + 2
    if first == 0x80:
        parts = []
        while data[at : at + 2] != b"\0\0":
            part, at = _element(data, at, depth + 1)
            parts.append(part)
        return _Node(tag, data[start : at + 2], data[start + 2 : at], tuple(parts)), at + 2
    size = first
    if first > 0x80:
        at += first & 0x7F
        size = int.from_bytes(data[start + 2 : at], "big")
    end = at + size
    if end > len(data):
        raise ValueError("it is cut off")
    inner = tuple(_elements(data, at, end, depth + 1)) if tag & 0x20 else ()
    return _Node(tag, data[start:end], data[at:end], inner), end


def _elements(data: bytes, at: int, end: int, depth: int) -> Iterator[_Node]:
    while at < end:
        part, at = _element(data, at, depth)
        if at > end:
            raise ValueError("it overlaps")
        yield part
