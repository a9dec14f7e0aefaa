"""A stand-in for a chat model, behind a real HTTP server on this machine; a function gives its answers."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from speakr.connectors.language.openai import OpenAILanguageConnector
from speakr.connectors.openai_access import OpenAIAccess

Answer = Callable[[str], str]
"""Maps the lines in a request to the answer of the model."""

_FENCED = re.compile(r"^<(material-[0-9a-f]+)>\n(.*)\n</\1>$", re.DOTALL)


@contextmanager
def chat_server(answer: Answer, *, context_tokens: int) -> Iterator[OpenAILanguageConnector]:
    """Yield a connector to a model that answers with the function, with this size of context."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            first = next(each["content"] for each in asked["messages"] if each["role"] == "user")
            fenced = _FENCED.match(first)
            message = {"role": "assistant", "content": answer(fenced[2] if fenced else first)}
            body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        access = OpenAIAccess(
            base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", timeout_seconds=60.0
        )
        yield OpenAILanguageConnector(access, model="stand-in", context_tokens=context_tokens)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
