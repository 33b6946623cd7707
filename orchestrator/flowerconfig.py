"""Flower's configuration, read by Flower itself: its figures are behind the log-in like its pages."""

from flower.views.monitor import Metrics
from tornado.web import authenticated

Metrics.get = authenticated(Metrics.get)
