"""The API described by itself: OpenAPI and AsyncAPI documents made from the types and routes that are really used."""
