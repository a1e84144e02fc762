from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import User
from rest_framework_simplejwt import state
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.tokens import AccessToken

from aaah_core.testing import registry

KEY = "a key of these tests, and of nothing else, as long as HS512 wants it"


@pytest.fixture(autouse=True)
def only_the_plugins_under_test() -> Iterator[None]:
    with registry("simplejwt", "async_action"):
        yield


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    # simplejwt reads its settings once, and Django's SECRET_KEY of the tests is a short one.
    monkeypatch.setattr(state, "token_backend", TokenBackend("HS256", KEY))
    return KEY


@pytest.fixture
def emma(transactional_db: None) -> User:
    return User.objects.create_user("emma", password="secret")


@pytest.fixture
def bert(transactional_db: None) -> User:
    return User.objects.create_user("bert", password="secret")


@pytest.fixture
def token() -> Callable[..., str]:
    """Make an encoded token of a user; what is None of the claims is left out."""

    def make(
        user: Any,
        *,
        seconds: float = 60,
        key: str = KEY,
        algorithm: str = "HS256",
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        made = AccessToken.for_user(user)
        made.set_exp(lifetime=timedelta(seconds=seconds))
        payload = {**made.payload, **claims}
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, key, algorithm=algorithm, headers=headers)

    return make
