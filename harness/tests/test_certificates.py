"""Certificates of a control plane: who they are for, who trusts them, and who can read the keys."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.cluster.certificates import Authority, ClientFiles


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


def certificate(files: ClientFiles) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def subject(of: x509.Certificate, name: x509.ObjectIdentifier) -> list[str | bytes]:
    return [attribute.value for attribute in of.subject.get_attributes_for_oid(name)]


def server_tls(authority: Authority, files: ClientFiles) -> ssl.SSLContext:
    """TLS as the API server has it: its own certificate, clients by this CA alone."""
    settings = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    settings.verify_mode = ssl.CERT_REQUIRED
    settings.load_cert_chain(files.certificate, files.key)
    return settings


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> ssl.SSLObject:
    """Do a whole handshake in memory and return the server's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[1]


def test_a_client_certificate_names_the_user_and_its_group(authority: Authority) -> None:
    issued = certificate(authority.issue_client("system:kube-controller-manager", group="system:masters"))
    assert subject(issued, NameOID.COMMON_NAME) == ["system:kube-controller-manager"]
    assert subject(issued, NameOID.ORGANIZATION_NAME) == ["system:masters"]


def test_a_client_certificate_has_an_alternative_name_since_go_refuses_an_empty_one(authority: Authority) -> None:
    issued = certificate(authority.issue_client("admin", group="system:masters"))
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert len(list(names)) == 1


def test_a_file_name_holds_no_colon(authority: Authority) -> None:
    files = authority.issue_client("system:kube-controller-manager", group="g")
    assert files.certificate.name == "system-kube-controller-manager.pem"


def test_a_server_certificate_is_for_its_names_and_addresses(authority: Authority) -> None:
    issued = certificate(authority.issue_server("api", "127.0.0.1", "localhost"))
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_client_and_server_of_one_authority_trust_each_other(host: str, authority: Authority) -> None:
    server = server_tls(authority, authority.issue_server("api", "127.0.0.1", "localhost"))
    client = authority.client_tls(authority.issue_client("admin", group="system:masters"))
    peer = shake_hands(client, server, host).getpeercert()
    assert peer is not None
    assert (("commonName", "admin"),) in peer["subject"]


def test_a_client_refuses_a_server_of_another_authority(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    server = server_tls(authority, other.issue_server("api", "localhost"))
    client = authority.client_tls(authority.issue_client("admin", group="g"))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server, "localhost")


def test_a_server_refuses_a_client_of_another_authority(authority: Authority, tmp_path: Path) -> None:
    server = server_tls(authority, authority.issue_server("api", "localhost"))
    stranger = ssl.create_default_context(cafile=str(authority.certificate))
    files = Authority(tmp_path / "other").issue_client("admin", group="system:masters")
    stranger.load_cert_chain(files.certificate, files.key)
    with pytest.raises(ssl.SSLError):
        shake_hands(stranger, server, "localhost")


def test_a_client_refuses_a_server_of_another_name(authority: Authority) -> None:
    server = server_tls(authority, authority.issue_server("api", "localhost"))
    client = authority.client_tls(authority.issue_client("admin", group="g"))
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(client, server, "elsewhere")


def test_the_signing_key_is_an_elliptic_curve_key(authority: Authority) -> None:
    key = serialization.load_pem_private_key(authority.issue_signing_key().read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)


def test_keys_are_the_users_alone_and_nothing_leaves_the_folder(authority: Authority, tmp_path: Path) -> None:
    keys = [
        authority.issue_server("api", "localhost").key,
        authority.issue_client("admin", group="g").key,
        authority.issue_signing_key(),
    ]
    folder = tmp_path / "pki"
    assert [key.stat().st_mode & 0o777 for key in keys] == [0o600] * 3
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == [folder]
