"""The reference of bench.catalog: a Litestar application whose one route returns tiny JSON.

    python -m bench.reference.tiny PORT

It gets the product's own server settings (uvloop, one system call per answer), and no middleware.
"""

from __future__ import annotations

import sys

import uvicorn
from litestar import Litestar, get

from marketplace.web.one_write import OneWriteProtocol


@get("/")
async def tiny() -> dict[str, bool]:
    """As little as an answer can be."""
    return {"ok": True}


if __name__ == "__main__":
    uvicorn.run(
        Litestar([tiny], openapi_config=None),
        port=int(sys.argv[1]),
        http=OneWriteProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
    )
