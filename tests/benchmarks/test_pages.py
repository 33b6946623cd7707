"""What ``make bench-pages`` asks for: every address answers."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.benchmarks.pages import addresses
from tests.integration.driver import Driver

pytestmark = pytest.mark.django_db


def test_every_address_answers() -> None:
    driver = Driver()
    for _ in range(51):
        driver.start("workflow: invoices\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]")
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", "root@localhost", "x"))

    answers = {name: client.get(address).status_code for name, address in addresses().items()}

    assert set(answers.values()) == {200}, answers
