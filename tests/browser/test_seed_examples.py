"""The API's first examples work as they were written: nothing but host, token and tenant is filled in."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.browser.conftest import Open
from tests.browser.stack import Stack
from tests.live import Socket
from tests.patience import PATIENCE
from tests.servers import eventually
from tests.tokens import bearer, token

TENANT = "demo"
HOST = "localhost:8000"

FETCH = """
// Real-time dashboard data
const response = await fetch('/api/dashboard/realtime/aggregate/', {
  headers: {
    'Authorization': `Bearer ${jwt_token}`
  }
});
const dashboardData = await response.json();
"""

WEBSOCKET = """
// WebSocket connection
const ws = new WebSocket(`ws://localhost:8000/ws/dashboard/${userId}/`);

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);
  if (data.type === 'dashboard.update') {
    updateDashboard(data.data);
  }
};
"""

CONFIGURE = """
// Configure update interval
ws.send(JSON.stringify({
  type: 'configure',
  config: { update_interval: 60 }
}));
"""

EVENT_SOURCE = """
const eventSource = new EventSource('/api/dashboard/streaming/aggregate/?interval=30');

eventSource.onmessage = (event) => {
  const data = JSON.parse(event.data);
  if (data.type === 'dashboard_update') {
    updateDashboard(data);
  }
};
"""

PYTHON = """
import requests
from decimal import Decimal

# Get real-time dashboard data
response = requests.get(
    'http://localhost:8000/api/dashboard/realtime/aggregate/',
    headers={'Authorization': f'Bearer {jwt_token}'}
)

dashboard_data = response.json()
performance_score = dashboard_data['performance_score']
metrics = dashboard_data['metrics']
alerts = dashboard_data['alerts']

# Trigger recalculation
recalc_response = requests.post(
    'http://localhost:8000/api/dashboard/realtime/recalculate/',
    headers={'Authorization': f'Bearer {jwt_token}'}
)
"""

AGGREGATE = """
{
  "user_id": "uuid",
  "timestamp": "2024-01-15T10:30:00Z",
  "performance_score": 85.5,
  "metrics": [
    {
      "name": "Daily Revenue",
      "value": 2500.00,
      "change": 150.00,
      "trend": "up",
      "timestamp": "2024-01-15T10:30:00Z",
      "confidence": 0.95
    }
  ],
  "alerts": [
    {
      "level": "warning",
      "message": "5 invoices are overdue",
      "metric": "Overdue Invoices",
      "action_required": true
    }
  ]
}
"""

RECALCULATE = """
{
  "success": true,
  "message": "Dashboard recalculation completed",
  "refresh_results": {
    "refreshed": true,
    "duration_seconds": 1.2
  },
  "performance_score": 78.5,
  "timestamp": "2024-01-15T10:30:00Z"
}
"""

HEALTH = """
{
  "status": "healthy",
  "response_time_ms": 45.2,
  "components": {
    "database": {"status": "healthy"},
    "cache": {"status": "healthy"},
    "aggregation_service": {"status": "healthy"}
  },
  "performance": {
    "response_time_ms": 45.2,
    "performance_grade": "excellent"
  }
}
"""


def in_place(code: str, stack: Stack) -> str:
    return code.replace(HOST, f"127.0.0.1:{stack.web.port}")


def test_fetch_example(visit: Open) -> None:
    found = visit(TENANT).page.evaluate(f"async (jwt_token) => {{ {FETCH} return dashboardData; }}", token(TENANT))
    assert found["user_id"] == TENANT
    assert len(found["metrics"]) == 8


def test_websocket_example_with_the_cookie(visit: Open, stack: Stack) -> None:
    # The example configures at once; a browser lets nothing be sent before the socket is open.
    seen = visit(TENANT).page.evaluate(
        f"""async (userId) => {{
            const seen = [];
            let updated;
            const first = new Promise((resolve) => (updated = resolve));
            const updateDashboard = (data) => {{ seen.push(data); updated(); }};
            {in_place(WEBSOCKET, stack)}
            await new Promise((resolve) => ws.addEventListener("open", resolve));
            const configured = new Promise((resolve) => ws.addEventListener("message", ({{ data }}) => {{
                const message = JSON.parse(data);
                if (message.type === "configuration.updated") resolve(message);
            }}));
            {CONFIGURE}
            const answer = await configured;
            await first;
            ws.close();
            return {{ seen, answer }};
        }}""",
        TENANT,
    )
    assert seen["seen"][0]["user_id"] == TENANT
    assert seen["answer"]["config"] == {"update_interval": 60}


def test_event_source_example_with_the_cookie(visit: Open) -> None:
    found = visit(TENANT).page.evaluate(
        f"""async () => {{
            let updated;
            const first = new Promise((resolve) => (updated = resolve));
            const updateDashboard = (data) => updated(data);
            {EVENT_SOURCE}
            const data = await first;
            eventSource.close();
            return data;
        }}"""
    )
    assert (found["sequence"], found["user_id"], len(found["metrics"])) == (1, TENANT, 8)


def test_python_example(stack: Stack) -> None:
    names: dict[str, Any] = {"jwt_token": token(TENANT)}
    exec(compile(in_place(PYTHON, stack), "example", "exec"), names)  # noqa: S102 - it is what is tested
    assert names["performance_score"] is None or 0 <= names["performance_score"] <= 100
    assert len(names["metrics"]) == 8
    assert isinstance(names["alerts"], list)
    assert names["recalc_response"].status_code in (200, 202)


@pytest.mark.parametrize(
    ("method", "path", "example"),
    [
        ("GET", "/api/dashboard/realtime/aggregate/", AGGREGATE),
        ("POST", "/api/dashboard/realtime/recalculate/", RECALCULATE),
        ("GET", "/api/dashboard/health/", HEALTH),
    ],
)
def test_every_field_of_the_example_answers_is_there(stack: Stack, method: str, path: str, example: str) -> None:
    # A recalculation that takes longer than five seconds is answered as queued.
    answer = eventually(
        lambda: requests.request(method, stack.web.url + path, headers=bearer(TENANT), timeout=10 * PATIENCE),
        lambda answer: answer.status_code != 202,
    )
    assert answer.status_code == 200
    expect_shape(answer.json(), json.loads(example))


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ('{"type": "configure", "config": {"update_interval": 30}}', "configuration.updated"),
        ('{"type": "request_update"}', "dashboard.update"),
        ('{"type": "ping"}', "pong"),
    ],
)
def test_every_message_of_the_examples_is_understood(stack: Stack, message: str, answer: str) -> None:
    with Socket(stack.web.port or 0, TENANT) as socket:
        assert socket.receive()["type"] == "connection.established"
        update = socket.receive_type("dashboard.update")
        assert update["data"].keys() >= {"performance_score", "metrics", "alerts"}
        socket.send(message.encode())
        assert socket.receive_type(answer)


def expect_shape(real: Any, example: Any, where: str = "$") -> None:
    """Every field of the example, with a value of the same kind (null where a number cannot be computed)."""
    if isinstance(example, dict):
        assert real.keys() >= example.keys(), where
        for name, value in example.items():
            expect_shape(real[name], value, f"{where}.{name}")
    elif isinstance(example, list):
        assert real, where
        for value in real:
            expect_shape(value, example[0], f"{where}[]")
    elif isinstance(example, bool):
        assert isinstance(real, bool), where
    elif isinstance(example, float):
        assert real is None or (isinstance(real, int | float) and not isinstance(real, bool)), where
    else:
        assert isinstance(real, type(example)), where
