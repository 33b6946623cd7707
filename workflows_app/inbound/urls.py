"""Addresses that other systems call; nobody logs in here, so each view has to demand its own proof."""

from django.urls import path

from workflows_app.inbound import callbacks

urlpatterns = [path("callbacks/<str:token>", callbacks.answer, name="callback")]
