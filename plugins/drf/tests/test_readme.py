from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User

from aaah_async_action.decorators import async_action
from aaah_core.testing import connect


async def test_the_example_of_the_readme_lets_in_whoever_is_logged_in() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    namespace: dict[str, Any] = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec", dont_inherit=True), namespace)

    class Library(namespace["Library"]):  # type: ignore[misc]  # the example's
        @async_action
        async def hello(self) -> str:
            return "hello"

    for user, status in ((None, 403), (User(username="emma"), 200)):
        async with connect(Library.as_asgi(), user=user) as client:
            assert (await client.call("hello"))["status"] == status
