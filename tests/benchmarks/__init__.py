"""The benchmark: the product against a plain Celery canvas of the same shape, on the same broker, in the same run.

``python -m tests.benchmarks`` starts a private PostgreSQL (durable, as it ships) and private brokers, and for each
arrangement of broker, pool and fusion a session: a process that starts two worker processes for either side, runs the
workloads in turn (yardstick, ours, yardstick, ours ...), checks that everything asked for was done, and hands back a
row for each measure. What is judged is the ratio, as noise hits both sides.

- ``workloads``: what is run, how much of it, and the ratios that must hold
- ``plain``, ``yardstick``: the Celery application that we are measured against, and its client
- ``documents``, ``ours``: the same shapes as definitions, and the product's client
- ``servers``, ``fleet``: the database, the brokers, the workers of either side
- ``session``, ``measuring``, ``flatness``: one arrangement, measured
- ``arithmetic``, ``rows``, ``report``, ``plot``, ``machine``, ``statements``: what comes out
"""
