"""Performs SCIM operations with scim2-client for a test in another language.

Reads one JSON object a line from standard input and answers each with one on standard output. The first is

    {"op": "connect", "base_url": "http://127.0.0.1:1/scim/idp/v2", "token": "..."}

which reads the server's discovery endpoints; after it come

    {"op": "create",  "type": "User",  "resource": {...}}
    {"op": "read",    "type": "User",  "id": "...", "parameters": {...}}
    {"op": "query",   "type": "Group", "parameters": {"filter": "..."}}
    {"op": "search",  "parameters": {"filter": "..."}}
    {"op": "replace", "type": "User",  "resource": {"id": "...", ...}}
    {"op": "modify",  "type": "Group", "id": "...", "operations": [{"op": "add", "path": "members", "value": [...]}]}
    {"op": "delete",  "type": "Group", "id": "..."}

The answer holds what the server sent, `{"status": 201, "body": {...}}`. Where the client found that an answer breaks the
standard, or refused to send the request, the answer is `{"fault": "..."}` instead: a fault is never a matter of taste of
the test, so the caller fails on it.
"""

import json
import sys

from connection import RecordingClient, connect
from scim2_client import SCIMClientException
from scim2_models import PatchOp, ResponseParameters, SCIMException, SearchRequest


def described(client: RecordingClient, kind: str, resource: dict) -> dict:
    """The resource with its schemas named, which the caller need not repeat."""
    extensions = [key for key in resource if key.startswith("urn:")]
    return {"schemas": [client.get_resource_model(kind).__schema__, *extensions], **resource}


def perform(client: RecordingClient, request: dict) -> None:
    """Performs one operation; the outcome is the client's last response."""
    kind, identifier, parameters = request.get("type"), request.get("id"), request.get("parameters")
    match request["op"]:
        case "create":
            client.create(kind, described(client, kind, request["resource"]))
        case "read":
            client.query(kind, identifier, parameters and ResponseParameters.model_validate(parameters))
        case "query":
            client.query(kind, query_parameters=parameters and SearchRequest.model_validate(parameters))
        case "search":
            client.search(search_request=SearchRequest.model_validate(parameters or {}))
        case "replace":
            client.replace(kind, described(client, kind, request["resource"]))
        case "modify":
            model = client.get_resource_model(kind)
            client.modify(kind, identifier, PatchOp[model].model_validate({"Operations": request["operations"]}))
        case "delete":
            client.delete(kind, identifier)
        case other:
            raise ValueError(f"no such operation: {other}")


def sent(client: RecordingClient) -> dict:
    """What the server answered last, as it stood on the wire."""
    return {"status": client.last.status_code, "body": client.last.json() if client.last.content else None}


def explained(error: Exception, client: RecordingClient | None) -> dict:
    """A fault with everything that helps to find its cause."""
    parts = [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])]
    if client is not None and client.last is not None:
        request = client.last.request
        parts.append(f"{request.method} {request.url} was answered {client.last.status_code}: {client.last.text}")
    return {"fault": "\n".join(parts)}


def main() -> None:
    client = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["op"] == "connect":
                client = connect(request["base_url"], request["token"])
                client.discover()
            else:
                client.last = None
                perform(client, request)
            answer = sent(client)
        except (SCIMClientException, SCIMException, ValueError) as error:
            answer = explained(error, client)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
