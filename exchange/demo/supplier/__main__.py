"""`python -m exchange.demo.supplier FD`: serve on a listening socket that was given. The token comes in DEMO_SUPPLIER_TOKEN."""

import os
import socket
import sys

# The sums are small and the machine is shared: one thread is as quick as many, and leaves the others' cores alone.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uvicorn

from exchange.demo.supplier.app import Supplier


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    supplier = Supplier(os.environ.get("DEMO_SUPPLIER_TOKEN", ""))
    config = uvicorn.Config(supplier, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=3)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
