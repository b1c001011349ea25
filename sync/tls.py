"""TLS to the broker: the district's own authority, and a certificate for each box."""

import ssl


class _ClosedWhenRefused(ssl.SSLSocket):
    """paho lets go of a socket whose handshake fails without closing it."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  as the class above
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def tls_context(*, ca_file: str, cert_file: str = "", key_file: str = "") -> ssl.SSLContext | None:
    """TLS 1.2 or newer towards a broker whose certificate the district's authority signed; None if no file is named.

    Args:
        ca_file: The authority's certificate; empty: those that the system trusts.
        cert_file: Our own certificate, where the broker asks for one.
        key_file: Its private key, without a pass phrase.

    Raises:
        ValueError: A file cannot be read or does not fit; the text names it.
    """
    if not (ca_file or cert_file or key_file):
        return None
    if bool(cert_file) != bool(key_file):
        raise ValueError("a certificate needs its key, and a key its certificate")
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ValueError(f"the certificates in {ca_file} cannot be used: {error.strerror or error}") from error
    context.minimum_version, context.sslsocket_class = ssl.TLSVersion.TLSv1_2, _ClosedWhenRefused
    if cert_file:
        try:
            context.load_cert_chain(cert_file, key_file)
        except OSError as error:
            raise ValueError(f"{cert_file} and {key_file} cannot be used: {error.strerror or error}") from error
    return context
