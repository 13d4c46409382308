"""Everything that `deimos serve --upstream URL` puts before a server, on a port; no self-test.

Not a benchmark: `serve_overhead.py` starts it: ``python benchmarks/_forwarder.py URL PORT``.
"""

import sys

import uvicorn

from deimos.serve.connections import SETTINGS
from deimos.serve.forward import Forwarder
from deimos.serve.guard import Guard
from deimos.serve.middleware import ThinkingRouter
from deimos.serve.router import Router

if __name__ == "__main__":
    app = Guard(ThinkingRouter(Forwarder(sys.argv[1]), Router()))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="critical", **SETTINGS)
