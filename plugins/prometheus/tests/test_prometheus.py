"""The numbers: what is counted, who may read it, and that the dashboard asks for what there is."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.test import RequestFactory, override_settings
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import aaah_prometheus
from aaah_core import (
    Action,
    AsyncAPIConsumer,
    BasePermission,
    ConfigurationError,
    Reply,
    apublish,
    describe,
    hookimpl,
    run_sync,
)
from aaah_core.testing import Refused, connect, registry
from aaah_prometheus.calls import BUCKETS
from aaah_prometheus.views import metrics

DASHBOARD = json.loads(Path(aaah_prometheus.__path__[0], "dashboard.json").read_text("utf-8"))
README = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
HERE = __name__


async def answer(handler: Any, call: Any) -> Any:
    return call.data


async def fail(handler: Any, call: Any) -> Any:
    raise ValueError


@hookimpl
def aaah_actions(handler_class: type[Any]) -> dict[str, Action]:
    return {"answer": Action("answer", run=answer), "fail": Action("fail", run=fail)}


class Chat(AsyncAPIConsumer):
    """A consumer in a group."""

    groups = ("room",)


class Closed(AsyncAPIConsumer):
    """A consumer that lets nobody in."""

    class Nobody(BasePermission):
        """Refuses at connect."""

        def can_connect(self, scope: Any, handler: Any, message: Any = None) -> bool:
            """Refuse."""
            return False

    permission_classes = (Nobody,)


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    actions = ModuleType("actions_of_the_test")
    actions.aaah_actions = aaah_actions  # type: ignore[attr-defined]  # which a module may have
    with registry("prometheus", actions):
        yield


class Growth:
    """What has grown since it was made."""

    def __init__(self) -> None:
        self._before = self._samples()

    def __call__(self, name: str, **labels: str) -> float:
        key = name, frozenset(labels.items())
        return self._samples().get(key, 0) - self._before.get(key, 0)

    def labels(self, name: str) -> set[frozenset[tuple[str, str]]]:
        """Return the labels that a metric has got."""
        return {key[1] for key in self._samples() if key[0] == name} - {
            key[1] for key in self._before if key[0] == name
        }

    @staticmethod
    def _samples() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in REGISTRY.collect()
            for sample in family.samples
        }


async def test_each_call_is_counted_by_handler_action_and_status() -> None:
    grown = Growth()
    async with connect(Chat.as_asgi()) as client:
        for _ in range(3):
            await client.call("answer", data=1)
        await client.call("fail")
        await client.call("none such")
        await client.send_frame("{")
        await client.receive()
    handler = f"{HERE}.Chat"
    assert grown("aaah_calls_total", handler=handler, action="answer", status="200") == 3
    assert grown("aaah_calls_total", handler=handler, action="fail", status="500") == 1
    assert grown("aaah_calls_total", handler=handler, action="", status="405") == 1
    assert grown("aaah_calls_total", handler=handler, action="", status="400") == 1
    assert grown("aaah_call_seconds_count", handler=handler, action="answer") == 3
    assert grown("aaah_call_seconds_sum", handler=handler, action="answer") > 0


async def test_the_buckets_are_fixed_and_end_at_the_deadline() -> None:
    grown = Growth()
    async with connect(Chat.as_asgi()) as client:
        await client.call("answer")
    at_most = {"handler": f"{HERE}.Chat", "action": "answer", "le": "30.0"}
    assert grown("aaah_call_seconds_bucket", **at_most) == 1
    assert sorted(BUCKETS) == list(BUCKETS)
    assert BUCKETS[-1] == 30


async def test_a_client_adds_no_label() -> None:
    async with connect(Chat.as_asgi()) as client:
        await client.call("answer")
        await client.call("none such")
        await client.call("answer", route="nowhere")
    grown = Growth()
    async with connect(Chat.as_asgi()) as client:
        for number in range(20):
            await client.call(f"action-{number}")
            await client.call("answer", route=f"route-{number}", request_id=number)
    assert grown.labels("aaah_calls_total") == grown.labels("aaah_call_seconds_count") == set()


async def test_handlers_and_actions_are_called_as_describe_does() -> None:
    grown = Growth()
    async with connect(Chat.as_asgi()) as client:
        await client.call("answer")
    [route] = describe(Chat)["routes"]
    actions = {action["name"] for action in route["actions"]}
    assert "answer" in actions
    assert grown("aaah_calls_total", handler=route["handler"], action="answer", status="200")


async def test_a_status_that_is_none_is_other() -> None:
    async def odd(handler: Any, call: Any) -> Any:
        return Reply(status=call.data)

    module = ModuleType("odd")
    module.aaah_actions = hookimpl(  # type: ignore[attr-defined]  # which a module may have
        lambda handler_class: {"odd": Action("odd", run=odd)}
    )
    grown = Growth()
    with registry("prometheus", module):
        async with connect(Chat.as_asgi()) as client:
            await client.call("odd", data=7)
            await client.call("odd", data=8)
    labels = {"handler": f"{HERE}.Chat", "action": "odd", "status": "other"}
    assert grown("aaah_calls_total", **labels) == 2


async def test_connections_are_counted_from_handshake_to_end() -> None:
    grown, name = Growth(), f"{HERE}.Chat"
    async with connect(Chat.as_asgi()) as client:
        await client.call("answer")
        assert grown("aaah_connections", consumer=name) == 1
        assert grown("aaah_connections_accepted_total", consumer=name) == 1
        assert grown("aaah_memberships") == 1
        await apublish("room", "news", 1)
        assert (await client.receive())["event"] == "news"
        assert grown("aaah_events_total", what="published") == 1
        assert grown("aaah_events_total", what="delivered") == 1
    with pytest.raises(Refused):
        await connect(Closed.as_asgi()).__aenter__()
    assert grown("aaah_connections", consumer=name) == 0
    assert grown("aaah_connections_closed_total", code="1000") == 1
    assert grown("aaah_connections_refused_total", reason="denied") == 1
    assert grown("aaah_connections_accepted_total", consumer=f"{HERE}.Closed") == 0


async def test_threads_that_run_are_seen() -> None:
    before = Growth()
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(5)

    working = asyncio.create_task(run_sync(work))
    await begun.wait()
    assert before("aaah_workers_busy") == 1
    assert REGISTRY.get_sample_value("aaah_workers") == 16
    go_on.set()
    await working


# Who may read it.


def scrape(**headers: str) -> Any:
    return metrics(RequestFactory().get("/metrics", headers=headers))


def with_token(token: str) -> Any:
    return override_settings(AAAH={"PLUGIN_SETTINGS": {"prometheus": {"token": token}}})


@pytest.mark.parametrize("sent", ["", "Bearer ", "Bearer None", "Bearer wrong", "Basic secret"])
def test_who_has_not_the_token_is_answered_403(sent: str) -> None:
    with with_token("secret"):
        assert scrape(Authorization=sent).status_code == 403
    assert scrape(Authorization=sent).status_code == 403
    with with_token(""):
        assert scrape(Authorization=sent).status_code == 403


def test_who_has_the_token_gets_the_numbers() -> None:
    with with_token("secret"):
        response = scrape(Authorization="Bearer secret")
    assert response.status_code == 200
    families = {each.name for each in text_string_to_metric_families(response.content.decode())}
    assert {"aaah_calls", "aaah_connections", "aaah_workers"} <= families


def test_a_setting_that_is_misspelled_stops_the_start() -> None:
    settings = {"PLUGIN_SETTINGS": {"prometheus": {"tokem": "secret"}}}
    with (
        override_settings(AAAH=settings),
        registry("prometheus") as isolated,
        pytest.raises(ConfigurationError, match="did you mean 'token'"),
    ):
        isolated.raise_problems()


PROCESS = """
import os, sys
from django.conf import settings
settings.configure(AAAH={"PLUGIN_SETTINGS": {"prometheus": {"token": "secret"}}})
import django
django.setup()
from django.test import RequestFactory
from aaah_prometheus.calls import CALLS
from aaah_prometheus.views import metrics
CALLS.labels("handler", "action", "200").inc()
request = RequestFactory().get("/", headers={"Authorization": "Bearer secret"})
print(metrics(request).content.decode())
"""


def test_with_a_folder_for_several_processes_the_view_answers_for_all(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PROCESS],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert 'aaah_calls_total{action="action",handler="handler",status="200"} 2.0' in done.stdout


# The dashboard, and the README.


async def existing() -> set[str]:
    """Return the names of all samples that there are, once each of them has a label."""
    async with connect(Chat.as_asgi()) as client:
        await client.call("answer")
        await apublish("room", "news", 1)
        await client.receive()
    with pytest.raises(Refused):
        await connect(Closed.as_asgi()).__aenter__()
    async with connect(
        type("Small", (Chat,), {"limits": {"rate": 0.1, "burst": 1}}).as_asgi()
    ) as client:
        for _ in range(2):
            await client.call("answer")
    families = text_string_to_metric_families(generate_latest(REGISTRY).decode())
    return {sample.name for family in families for sample in family.samples}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


async def test_the_dashboard_asks_for_nothing_that_is_not_there() -> None:
    asked = {
        name
        for panel in panels()
        for target in panel["targets"]
        for name in re.findall(r"\baaah_\w+", target["expr"])
    }
    there = {name for name in await existing() if name.startswith("aaah_")}
    assert asked - there == set()
    shown = {name for name in there if not name.endswith(("_created", "_sum", "_count"))}
    assert shown - asked == set()


def test_the_dashboard_groups_by_labels_that_are_there_and_its_panels_lie_side_by_side() -> None:
    labels = {"handler", "action", "status", "consumer", "reason", "code", "bound", "what", "le"}
    for panel in panels():
        for target in panel["targets"]:
            for group in re.findall(r"by \(([^)]*)\)", target["expr"]):
                assert set(group.split(", ")) <= labels
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels
            assert target["expr"].count("(") == target["expr"].count(")")
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


async def test_the_table_of_the_readme_has_each_metric_and_no_other() -> None:
    table = README.split("## What there is")[1].split("## ")[0]
    named = set(re.findall(r"`(aaah_\w+)`", table))
    endings = ("_bucket", "_created", "_sum", "_count")
    there = {name for name in await existing() if name.startswith("aaah_")}
    assert named - {"aaah_call_seconds"} == {name for name in there if not name.endswith(endings)}


def test_the_code_of_the_readme_is_valid() -> None:
    for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        compile(code, "README.md", "exec")
    [urls] = [
        code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "urls" in code
    ]
    names: dict[str, Any] = {}
    exec(urls, names)
    assert names["urlpatterns"][0].callback is metrics
