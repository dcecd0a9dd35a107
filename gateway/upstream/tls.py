"""What the gateway demands of OL Connect's certificate."""

import ssl

from gateway.settings import Upstream


def ssl_context(settings: Upstream) -> ssl.SSLContext | bool:
    """A context that trusts ``tls.ca_file`` only, where one is given; True for the system's."""
    tls = settings.tls
    if not tls.verify:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if tls.ca_file is not None:
        return ssl.create_default_context(cafile=tls.ca_file)
    return True
