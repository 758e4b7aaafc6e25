"""The ports on which commands serve other programs of this machine."""

import socket

from ..errors import PortTaken

HOST = "127.0.0.1"


def refuse_taken_port(port: int, option: str = "--port") -> None:
    """Refuse a port on which another program listens, before a server is made that could not.

    Raises:
        PortTaken: it is in use, or this user may not use it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(port, error.strerror or str(error), option) from error
