"""Bytes to and from one client: the connection, WebSocket frames, SSE events, messages. Knows neither tenant nor Redis."""
