"""`Hostile` as a server imports it, with a table of its own."""

from __future__ import annotations

from tests.hostile.application import Group, Hostile  # sets Django up

from django.db import connection  # isort: skip

with connection.schema_editor() as editor:
    for model in (Group.permissions.field.related_model, Group):
        editor.create_model(model)
connection.close()

application = Hostile.as_asgi()
