"""Two documents that use the whole language, also what does not run yet: a flow and a state machine."""

WHOLE = {
    "workflow": "order-processing",
    "version": "1.0.0",
    "kind": "flow",
    "metadata": {"owner": "sales", "tags": ["orders"]},
    "input": {"type": "object"},
    "concurrency": {"limit": 10, "key": "${ input.customer_id }"},
    "retention": {"keep": "90d", "then": "archive"},
    "triggers": [
        {"schedule": {"cron": "0 6 * * *", "timezone": "Europe/Berlin"}},
        {"webhook": {"path": "orders", "secret": "orders-hook", "input": "${ event.body }"}},
        {"event": {"type": "order.created", "where": "event.data.amount > 0", "input": "${ event.data }"}},
    ],
    "steps": [
        {
            "id": "each",
            "foreach": {
                "items": "${ input.items }",
                "as": "item",
                "max_concurrency": 4,
                "batch_size": 10,
                "collect": "${ steps.square.output }",
                "tolerate": 1,
                "steps": [{"id": "square", "activity": "core.echo"}],
            },
        },
        {
            "id": "again",
            "loop": {"while": "vars.n < 3", "max_iterations": 9, "steps": [{"id": "inc", "set": {"n": 1}}]},
        },
        {
            "id": "twice",
            "loop": {
                "times": 2,
                "steps": [
                    {"id": "inc2", "set": {"n": 1}},
                    {"id": "answered", "receive": {"callback": {"secret": "s"}, "timeout": "1h"}},
                ],
            },
        },
        {
            "id": "got",
            "receive": {"event": "paid", "correlate": "${ input.id }", "where": "event.data.ok", "timeout": "2d"},
        },
        {"id": "said", "emit": {"event": "shipped", "data": {"id": 1}}},
        {"id": "sub", "call": {"workflow": "other", "version": "1.0.0", "input": {}, "wait": True}},
        {"id": "rule", "decide": {"table": "discounts", "version": "1.0.0", "input": {}}},
        {"id": "set_of", "adhoc": {"steps": [{"id": "one", "manual": {"title": "t", "assign": {"role": "r"}}}]}},
        {
            "id": "manager_approval",
            "approval": {
                "title": "Expense",
                "assign": {"group": "managers"},
                "rule": {"quorum": 2},
                "form": {"type": "object"},
                "due": "72h",
                "remind": ["24h", "48h"],
                "on_timeout": "escalate",
                "escalate_to": {"role": "director"},
                "not_by": ["${ input.requester }"],
            },
        },
        {"id": "data", "form": {"title": "t", "assign": {"user": "u"}, "schema": {}, "initial": {}, "due": "1d"}},
        {
            "id": "placed",
            "activity": "a.b@1.2.0",
            "join": {"at_least": 2},
            "rest": "cancel",
            "tolerate": 1,
            "join_deadline": "1h",
            "on_error": {"fallback": {"activity": "a.c", "with": {}}},
            "placement": {"location": "berlin", "labels": {"gpu": "yes"}, "affinity": ["each"]},
            "resources": {"cpu": 2, "memory": "512MB", "disk": "1GB", "gpu": 1},
            "reads": ["orders"],
            "writes": ["orders"],
            "idempotency_key": "${ input.id }",
            "cache": {"ttl": "1h", "key": "k"},
            "batch": False,
            "priority": "high",
        },
        {"id": "jump", "activity": "a.b", "on_error": {"goto": "data"}},
    ],
}

MACHINE = {
    "workflow": "order",
    "kind": "state_machine",
    "version": "1.0.0",
    "initial": "created",
    "states": {"created": {}, "pending": {"timeout": "2h", "on_timeout": "created"}, "done": {"terminal": True}},
    "transitions": [
        {"from": "created", "to": "pending", "event": "go", "do": [{"activity": "a.b", "with": {}, "result": "check"}]},
        {"from": ["created", "pending"], "to": "done", "event": "end", "when": "vars.n < 3", "compensate": True},
        {"from": "pending", "to": "done", "event": "x", "set": {"n": 1}, "then": [{"activity": "a.b"}]},
    ],
}
