"""Certificates of one control plane: a CA of its own, made for one run and never written outside its folder."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientFiles:
    """Paths of a client certificate."""

    certificate: Path
    key: Path


class Authority:
    """A CA that lives as long as its control plane."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        self._ca = trustme.CA()
        self.certificate = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.certificate)

    def issue_server(self, name: str, *hosts: str) -> ClientFiles:
        """Issue a serving certificate for host names and addresses."""
        return self._write(name, self._ca.issue_cert(*hosts))

    def issue_client(self, user: str, *, group: str) -> ClientFiles:
        """Issue a client certificate: the API server reads the user from CN and its group from O."""
        # An identity is needed: Go refuses a certificate whose critical subjectAltName extension is empty.
        return self._write(
            user.replace(":", "-"),
            self._ca.issue_cert("client.invalid", common_name=user, organization_name=group),
        )

    def client_tls(self, files: ClientFiles) -> ssl.SSLContext:
        """Return TLS settings that trust this CA alone and present a client certificate."""
        settings = ssl.create_default_context(cafile=str(self.certificate))
        settings.load_cert_chain(files.certificate, files.key)
        return settings

    def issue_signing_key(self) -> Path:
        """Write the key that signs service account tokens."""
        key = ec.generate_private_key(ec.SECP256R1())
        path = self._folder / "service-account.key"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        path.chmod(0o600)
        return path

    def _write(self, name: str, issued: trustme.LeafCert) -> ClientFiles:
        files = ClientFiles(certificate=self._folder / f"{name}.pem", key=self._folder / f"{name}.key")
        files.certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(files.key)
        files.key.chmod(0o600)
        return files
