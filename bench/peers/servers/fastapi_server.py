"""The snapshot of a tenant over REST and WebSocket, in FastAPI: a peer to measure beside, not a part of the product.

One Redis subscription for the process; a snapshot is read once for each notice and sent to every socket of its tenant.
"""

import asyncio
import os
from collections import defaultdict
from contextlib import asynccontextmanager

import jwt
import redis.asyncio as redis
from fastapi import Depends, FastAPI, Header, HTTPException, Response, WebSocket, WebSocketDisconnect

SECRET = os.environ["JWT_SECRET_KEY"]
store = redis.Redis.from_url(os.environ["REDIS_URL"])
sockets: defaultdict[str, set[WebSocket]] = defaultdict(set)


def tenant_of(authorization: str = Header("")) -> str:
    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer "),
            SECRET,
            algorithms=["HS256"],
            options={"require": ["exp", "iat", "sub"]},
        )
    except jwt.InvalidTokenError:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from None
    return claims["sub"]


async def push() -> None:
    async with store.pubsub() as notices:
        await notices.psubscribe("peer:notice:*")
        async for notice in notices.listen():
            if notice["type"] != "pmessage":
                continue
            tenant_id = notice["channel"].decode().rpartition(":")[2]
            if opened := list(sockets[tenant_id]):
                message = update(await store.get(f"peer:{tenant_id}"))
                await asyncio.gather(*(socket.send_text(message) for socket in opened), return_exceptions=True)


def update(snapshot: bytes) -> str:
    return f'{{"type":"dashboard.update","data":{snapshot.decode()}}}'


@asynccontextmanager
async def lifespan(_: FastAPI):
    task = asyncio.create_task(push())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/api/dashboard/realtime/aggregate/")
async def snapshot(tenant_id: str = Depends(tenant_of)) -> Response:
    if (found := await store.get(f"peer:{tenant_id}")) is None:
        raise HTTPException(404)
    return Response(found, media_type="application/json")


@app.websocket("/ws/dashboard/{tenant_id}/")
async def socket(websocket: WebSocket, tenant_id: str, subject: str = Depends(tenant_of)) -> None:
    if subject != tenant_id:
        raise HTTPException(404)
    await websocket.accept()
    await websocket.send_json({"type": "connection.established"})
    sockets[tenant_id].add(websocket)
    try:
        await websocket.send_text(update(await store.get(f"peer:{tenant_id}")))
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        sockets[tenant_id].discard(websocket)
