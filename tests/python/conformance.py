"""Runs scim2-tester against a SCIM endpoint: prints every check and ends with status 1 if one failed.

    SCIM_TOKEN=... python conformance.py http://127.0.0.1:1/scim/idp/v2
"""

import os
import sys
from collections import Counter

from connection import connect
from scim2_tester import Status, check_server

# A deviation is a "should" that the server does otherwise: shown, and counted, but not a failure.
FAILED = {Status.ERROR, Status.CRITICAL}


def main(base_url: str, token: str) -> int:
    client = connect(base_url, token)
    # The checks themselves expect errors of the server as exceptions.
    client.raise_scim_errors = True
    results = check_server(client)
    for result in results:
        place = f" [{result.resource_type}]" if result.resource_type else ""
        reason = f": {result.reason}" if result.reason else ""
        print(f"{result.status.name:<10} {result.title}{place}{reason}")
        if result.status in FAILED and result.data is not None:
            print(f"           {result.data}")
    counts = Counter(result.status for result in results)
    print(", ".join(f"{count} {status.name.lower()}" for status, count in counts.items()))
    return 1 if not results or any(counts[status] for status in FAILED) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ["SCIM_TOKEN"]))
