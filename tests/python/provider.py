"""Runs scim2-server, a SCIM service provider that is not ours, to be read from.

    SCIM_TOKEN=... python provider.py [cursor] [unfiltered]

It keeps its resources in memory and says where it listens in one line, `{"base_url": "http://127.0.0.1:1/v2"}`. With
`cursor` it offers cursors (RFC 9865) beside indexes, with pages of at most two; with `unfiltered` it announces no filters
and refuses them.
"""

import json
import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from scim2_models import Pagination, ScimProvider
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BEARER_TOKEN_SCHEME, BearerTokenApplication
from scim2_server.utils import (
    load_default_resource_types,
    load_default_schemas,
    load_default_service_provider_config,
)


class ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *args) -> None:
        """Says nothing: standard error is for faults."""


def main(habits: set[str], token: str) -> None:
    config = load_default_service_provider_config()
    config.authentication_schemes = [BEARER_TOKEN_SCHEME]
    if "cursor" in habits:
        config.pagination = Pagination(cursor=True, index=True, max_page_size=2, default_page_size=2)
    if "unfiltered" in habits:
        config.filter.supported = False
    provider = ScimProvider.from_discovery(
        load_default_schemas().values(), load_default_resource_types().values(), config=config
    )
    service = ScimService(provider, secret=token)
    application = BearerTokenApplication(InMemoryStorage(), provider, service=service, bearer_tokens=[token])
    with make_server("127.0.0.1", 0, application, ThreadingServer, QuietHandler) as server:
        print(json.dumps({"base_url": f"http://127.0.0.1:{server.server_port}/v2"}), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(set(sys.argv[1:]), os.environ["SCIM_TOKEN"])
