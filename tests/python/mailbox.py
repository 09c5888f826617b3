"""Runs aiosmtpd, a mail server that is not ours, and prints every e-mail that it takes.

    python mailbox.py [CERTIFICATE KEY USER PASSWORD]

It listens on a free port of the loopback and says where in its first line, `{"port": 1}`. With a certificate it asks for STARTTLS and
for the user and password. Each e-mail is one line: the envelope, the headers as they were decoded, and both texts. It obeys
lines on its standard input: `down` stops listening, so that connections are refused, and `up` begins again at the same port. Recipients whose
name begins with `nobody` are refused for ever, and those that begin with `later` are refused the first time they are named.
"""

import asyncio
import json
import socket
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 5.1.1 there is nobody of that name"
        if address.startswith("later") and address not in self.seen:
            self.seen.add(address)
            return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = message_from_bytes(envelope.content, policy=policy.default)
        say(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "tls": session.ssl is not None,
                "signed_in": bool(session.authenticated),
                "headers": {name.lower(): str(value) for name, value in message.items()},
                "names": [name.lower() for name in message.keys()],
                "text": message.get_body(("plain",)).get_content(),
                "html": message.get_body(("html",)).get_content(),
            }
        )
        return "250 taken"


def say(line: dict) -> None:
    print(json.dumps(line), flush=True)


def bound(port: int) -> socket.socket:
    """A socket at the port. One that does not listen keeps the port for us, and refuses connections."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind(("127.0.0.1", port))
    return place


async def main(certificate: list[str]) -> None:
    options = {"hostname": "localhost"}
    if certificate:
        chain, key, user, password = certificate
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain, key)

        def authenticate(server, session, envelope, mechanism, data):
            right = data.login == user.encode() and data.password == password.encode()
            return AuthResult(success=right, handled=False)

        options |= {
            "tls_context": context,
            "require_starttls": True,
            "authenticator": authenticate,
            "auth_required": True,
        }
    handler, loop = Handler(), asyncio.get_running_loop()
    kept = bound(0)
    port = kept.getsockname()[1]

    async def listen():
        return await loop.create_server(lambda: SMTP(handler, **options), sock=bound(port))

    server = await listen()
    say({"port": port})
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while command := (await commands.readline()).decode().strip():
        if command == "down":
            server.close()
        elif command == "up":
            server = await listen()
        say({"is": command})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
