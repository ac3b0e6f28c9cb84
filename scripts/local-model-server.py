"""Serves one GGUF model in OpenAI's dialect on loopback and keeps a journal of completions.

Started by scripts/local-model. The engine and its HTTP surface are llama-cpp-python's own; all that is added
here is the journal: one JSON line for each completion, written when its last byte has left.
"""

import argparse
import json
import threading
import time

import uvicorn
from llama_cpp.server.app import create_app
from llama_cpp.server.settings import ModelSettings, ServerSettings

CONTEXT_TOKENS = 8192
THREADS = 2
# The same prompts are answered in the same words, run after run.
SEED = 1


class Journal:
    """Watches completions pass; touches neither requests nor replies."""

    def __init__(self, app, path):
        self.app = app
        self.path = path
        self.lock = threading.Lock()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or not scope["path"].endswith("/completions"):
            return await self.app(scope, receive, send)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        seen = {"request": b"", "status": None, "pieces": 0, "bytes": 0}
        began = time.time()

        async def hear():
            message = await receive()
            seen["request"] += message.get("body", b"")
            return message

        async def say(message):
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
            elif body := message.get("body"):
                seen["bytes"] += len(body)
                seen["pieces"] += body.count(b"data: ")
            await send(message)

        try:
            await self.app(scope, hear, say)
        finally:
            self.write(scope["path"], headers, seen, began)

    def write(self, path, headers, seen, began):
        try:
            request = json.loads(seen["request"])
        except ValueError:
            request = {}
        line = {
            "at_ms": int(began * 1000),
            "path": path,
            "reference": headers.get("x-client-request-id"),
            "stream": bool(request.get("stream")),
            "model": request.get("model"),
            "messages": len(request.get("messages", [])),
            "response_format": (request.get("response_format") or {}).get("type"),
            "status": seen["status"],
            "pieces": seen["pieces"],
            "bytes": seen["bytes"],
            "took_ms": int((time.time() - began) * 1000),
        }
        with self.lock, open(self.path, "a", encoding="utf-8") as journal:
            journal.write(json.dumps(line) + "\n")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", required=True, help="the GGUF file")
    arguments.add_argument("--name", required=True, help="what the model is called in requests")
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--journal", required=True)
    given = arguments.parse_args()
    model = ModelSettings(
        model=given.model,
        model_alias=given.name,
        n_ctx=CONTEXT_TOKENS,
        n_threads=THREADS,
        n_threads_batch=THREADS,
        seed=SEED,
        verbose=False,
    )
    # Calls wait for each other; without the last setting a new one would cut off the one that runs.
    server = ServerSettings(host="127.0.0.1", port=given.port, interrupt_requests=False)
    app = create_app(server_settings=server, model_settings=[model])
    uvicorn.run(Journal(app, given.journal), host="127.0.0.1", port=given.port)


if __name__ == "__main__":
    main()
