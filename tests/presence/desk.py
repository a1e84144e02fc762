"""Another process of the project: it does what it is told, a line of JSON at a time.

``["logout", "anna"]`` and the like; it answers each with a line.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import django

django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

from aaah_core import publish  # noqa: E402

browsers = {}


def prepare():
    call_command("migrate", verbosity=0)
    viewers, _ = Group.objects.get_or_create(name="viewers")
    viewers.permissions.add(Permission.objects.get(codename="view_session"))


def enter(name):
    """Make a user who may view, and return the cookie of a session."""
    User.objects.filter(username=name).delete()
    user = User.objects.create_user(name, password="secret")
    user.groups.add(Group.objects.get())
    browser = browsers[name] = Client()
    browser.force_login(user)
    return browser.cookies["sessionid"].value


def user_of(name):
    return User.objects.get(username=name)


def logout(name):
    browsers[name].logout()


def deactivate(name):
    user = user_of(name)
    user.is_active = False
    user.save()


def change_password(name):
    user = user_of(name)
    user.set_password("another")
    user.save()


def delete(name):
    user_of(name).delete()


def revoke(name):
    user_of(name).groups.clear()


def logout_quietly(name):
    Session.objects.filter(session_key=browsers[name].session.session_key).delete()


def deactivate_quietly(name):
    User.objects.filter(username=name).update(is_active=False)


def revoke_quietly(name):
    User.groups.through.objects.filter(user__username=name).delete()


def publish_on(*groups):
    """Publish to groups, a hundred times a second, for as long as the process lives."""

    def run():
        while True:
            for group in groups:
                publish(group, group, time.time())
            time.sleep(0.01)  # or it would be a flood, and not a load

    threading.Thread(target=run, daemon=True).start()


for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)), flush=True)
