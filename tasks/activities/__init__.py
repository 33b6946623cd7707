"""The activity library: what every installation can do without code of its own.

``core`` (echo, sleep, fail, log), ``http``, ``webhook`` and ``service`` (calls behind the egress guard), ``mail``,
``messages`` (queues of others), ``data`` and ``celery_task`` register themselves when discovery imports them, as
plugins do.
``connections`` and ``egress`` hold what an administrator allowed; ``network`` is the only place that opens sockets
for ``http``.
"""
