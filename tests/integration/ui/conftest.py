"""People who look at pages, and a driver for what they look at."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client


def browser(user: User | None = None, **options: object) -> Client:
    """A browser with CSRF protection as in production, logged in as ``user`` if one is given."""
    client = Client(enforce_csrf_checks=True, **options)
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def viewer(db: None) -> User:
    """Somebody who may look at instances and nothing else."""
    user = User.objects.create_user("vera", password="a long pass phrase")
    user.user_permissions.add(Permission.objects.get(codename="view_instance"))
    return user


@pytest.fixture
def pages(viewer: User) -> Client:
    """The browser of a viewer."""
    return browser(viewer)


@pytest.fixture
def stranger(db: None) -> Client:
    """The browser of somebody with an account and no permission."""
    return browser(User.objects.create_user("otto", password="a long pass phrase"))


@pytest.fixture
def anonymous(db: None) -> Client:
    """The browser of somebody who has not logged in."""
    return browser()


@pytest.fixture
def operator(viewer: User) -> Client:
    """The browser of somebody who may look at instances and operate them."""
    viewer.user_permissions.add(Permission.objects.get(codename="change_instance"))
    return browser(User.objects.get(pk=viewer.pk))
