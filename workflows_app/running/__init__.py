"""Running an installation on one machine: its database, its broker, its processes and what a first run does.

Nothing here is needed where other tools start the processes (containers, systemd); `manage.py up` and
`manage.py demo` are made of it.
"""
