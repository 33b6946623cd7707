"""Private services for tests that need the real thing: brokers, a database, workers, and the power to kill them.

Every instance is a subprocess of the test run on free ports of the loopback interface, with its data in a temporary
directory. Nothing that the machine already runs is used, and only processes started here are ever stopped.

- ``processes``: one subprocess in a group of its own, free ports, waiting on a condition with a deadline
- ``redis``, ``rabbitmq``, ``filesystem``: a broker that can be killed, restarted and emptied
- ``database``: a throw-away PostgreSQL, migrated once and cloned for each broker
- ``product``: the product's own processes (worker, sweeper, operator) against one database and one broker
- ``fixtures``: all of these for one run, each started on first use and shared by every test of real processes
- ``activities``: what the workers perform in these tests: record, block, die, ignore the interrupt
"""
