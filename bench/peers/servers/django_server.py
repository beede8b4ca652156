"""The snapshot of a tenant over REST and WebSocket, in Django and Channels: a peer to measure beside, not part of Daybook.

A notice is a message to the tenant's group that carries the snapshot, through the Redis layer for publishing (the one that
Channels advises where no message needs to be kept).
"""

import os

import django
import jwt
import redis.asyncio as redis
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY=os.environ["JWT_SECRET_KEY"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.security.SecurityMiddleware"],
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [os.environ["REDIS_URL"]], "capacity": 1000},
        }
    },
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

store = redis.Redis.from_url(os.environ["REDIS_URL"])


def tenant_of(authorization: str) -> str | None:
    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer "),
            settings.SECRET_KEY,
            algorithms=["HS256"],
            options={"require": ["exp", "iat", "sub"]},
        )
    except jwt.InvalidTokenError:
        return None
    return claims["sub"]


async def snapshot(request):
    tenant_id = tenant_of(request.headers.get("Authorization", ""))
    if tenant_id is None:
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    found = await store.get(f"peer:{tenant_id}")
    return HttpResponse(found, content_type="application/json") if found else HttpResponse(status=404)


class Dashboard(AsyncWebsocketConsumer):
    async def connect(self):
        tenant_id = self.scope["url_route"]["kwargs"]["tenant_id"]
        authorization = dict(self.scope["headers"]).get(b"authorization", b"").decode()
        if tenant_of(authorization) != tenant_id:
            await self.close()
            return
        self.group = f"tenant.{tenant_id}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send('{"type":"connection.established"}')
        await self.dashboard_changed({"snapshot": (await store.get(f"peer:{tenant_id}")).decode()})

    async def disconnect(self, code):
        if hasattr(self, "group"):
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def dashboard_changed(self, event):
        await self.send(f'{{"type":"dashboard.update","data":{event["snapshot"]}}}')


urlpatterns = [path("api/dashboard/realtime/aggregate/", snapshot)]
app = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("ws/dashboard/<tenant_id>/", Dashboard.as_asgi())]),
    }
)
