"""`Hostile` as a server imports it, with a table of its own."""

from __future__ import annotations

from tests.hostile.application import Group, Hostile  # sets Django up

from channels.routing import ProtocolTypeRouter  # isort: skip
from django.db import connection  # isort: skip

with connection.schema_editor() as editor:
    for model in (Group.permissions.field.related_model, Group):
        editor.create_model(model)
connection.close()

# hypercorn would take a consumer alone for WSGI.
application = ProtocolTypeRouter({"websocket": Hostile.as_asgi()})
