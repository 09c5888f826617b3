"""A connection of scim2-client to one SCIM endpoint, which also keeps what really went over the wire."""

from httpx2 import Client, Response
from scim2_client.engines.httpx2 import SyncSCIMClient

# A busy machine may take its time; a server that hangs is still found out.
TIMEOUT_SECONDS = 60


class RecordingClient(SyncSCIMClient):
    """Remembers the last response, which the client itself gives away only as a model."""

    last: Response | None = None

    def request(self, method, url, **kwargs) -> Response:
        self.last = None
        self.last = super().request(method, url, **kwargs)
        return self.last


def connect(base_url: str, token: str) -> RecordingClient:
    """Opens a connection with a bearer token; nothing is asked of the server yet."""
    http = Client(
        base_url=base_url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=TIMEOUT_SECONDS,
        # Only ever talks to the loopback address it is given, whatever proxy the machine has.
        trust_env=False,
    )
    return RecordingClient(http, raise_scim_errors=False)
