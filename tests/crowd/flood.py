"""A client that floods, in a process of its own: the clients beside it are not held up by it.

It prints a line once an action runs, and the code that it is closed with at the end.
"""

from __future__ import annotations

import json
import sys

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def flood(uri, messages):
    """Send so many messages while an action runs; return the code that it is closed with."""
    with connect(uri, open_timeout=60, proxy=None, compression=None) as ws:
        try:
            ws.send(json.dumps({"action": "wait", "seconds": 30}))
            print(flush=True)
            message = json.dumps({"action": "echo", "data": "x" * 1_000})
            for _ in range(messages):
                ws.send(message)
            for _ in ws:
                pass
        except ConnectionClosed:
            pass
        return ws.close_code


if __name__ == "__main__":
    print(flood(sys.argv[1], int(sys.argv[2])))
