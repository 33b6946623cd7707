"""The examples in the package's docstrings hold."""

import doctest
import importlib
import pkgutil

import pytest

from workflows_app.engine import expressions

NAME = expressions.__name__
MODULES = [NAME, *(f"{NAME}.{each.name}" for each in pkgutil.iter_modules(expressions.__path__))]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
