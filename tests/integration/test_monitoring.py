"""The alert rules and the Grafana dashboard ask only for what /metrics has, and the operator finds all of it explained."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from shared.keys import Keys
from tests.conftest import Services
from tests.servers import PROJECT, WebServer, eventually
from workers import worker_stats

RULES = PROJECT / "deploy" / "prometheus-rules.yaml"
DASHBOARD = PROJECT / "deploy" / "grafana-dashboard.json"
OPERATIONS = (PROJECT / "docs" / "operations.md").read_text()
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard_queries() -> Iterator[str]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def asked_for(expression: str) -> set[str]:
    return set(re.findall(r"\bdashboard_\w+", expression))


@pytest.fixture(scope="module")
def families(services: Services) -> dict[str, str]:
    """Type by name of everything that one web process exposes while the workers' side is well."""
    keys = Keys(f"m{uuid.uuid4().hex[:12]}")
    with (
        redis.Redis.from_url(services.redis_url) as client,
        WebServer(services.redis_url, keys, beating=False) as server,
    ):
        client.set(keys.listener, 1)
        worker_stats.beat(client, keys, database_ms=1.0, database_error=None, oldest_change=None)

        def exposed() -> dict[str, str]:
            text = requests.get(f"{server.url}/metrics", timeout=5).text
            families = text_string_to_metric_families(text)
            # The Python client adds to each counter when it began.
            return {family.name: family.type for family in families if not family.name.endswith("_created")}

        found = eventually(
            exposed, lambda found: {"dashboard_database_up", "dashboard_listener_age_seconds"} <= set(found)
        )
        client.delete(keys.listener, keys.pulse)
        return found


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in rules()), *dashboard_queries()])
def test_every_metric_that_is_asked_for_exists(families: dict[str, str], expression: str) -> None:
    exposed = {name + suffix for name, kind in families.items() for suffix in SUFFIXES[kind]}
    assert asked_for(expression)
    assert asked_for(expression) <= exposed


def test_every_metric_is_explained_to_the_operator(families: dict[str, str]) -> None:
    missing = {name for name in families if f"`{name}" not in OPERATIONS}
    assert missing == set()


def test_every_alert_is_explained_to_the_operator() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    assert {name for name in names if f"`{name}`" not in OPERATIONS} == set()
    assert all(rule["labels"]["severity"] in ("critical", "warning") for rule in rules())
    assert all(rule["annotations"]["summary"] for rule in rules())


def test_the_operator_is_told_when_each_alert_fires() -> None:
    for rule in rules():
        (row,) = [line for line in OPERATIONS.splitlines() if line.startswith(f"| `{rule['alert']}` |")]
        _, severity, when, _ = (cell.strip() for cell in row.strip("|").split("|"))
        assert severity == rule["labels"]["severity"]
        assert when.endswith(f", {rule.get('for', 'at once')}")
        threshold = re.search(r"> ([0-9.]+)\s*$", rule["expr"])
        if threshold and (value := float(threshold[1])):
            assert re.search(rf"\b({value:g}|{100 * value:g} %|{1000 * value:g} ms)( |,|$)", when), (
                rule["alert"],
                when,
            )


def test_the_dashboard_names_its_data_source_once_and_no_panel_twice() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert len({panel["title"] for panel in panels}) == len(panels)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_rules_are_where_the_operator_is_told() -> None:
    for path in (RULES, DASHBOARD):
        assert str(path.relative_to(PROJECT)) in OPERATIONS
