from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from aaah_core.testing import connect, registry

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


async def test_the_example_of_the_readme_runs_and_gives_its_replies() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    requests = [json.loads(each) for each in re.findall(r"`({\"action\".*?})`", README)]
    replies = [json.loads(each) for each in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, "README.md", "exec", dont_inherit=True), namespace)
    with registry("async_action"):
        async with connect(namespace["Library"].as_asgi()) as client:
            assert [await client.call(**each) for each in requests] == replies
            assert (await client.call("lend", title="Emma"))["status"] == 201
    assert len(requests) == len(replies) == 2
