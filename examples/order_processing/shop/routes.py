"""The shop's paths: for each POST the schema of its body, the service it stands for and the function that acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from examples.order_processing.shop import idempotency, parcels, payments, pricing, stock, troubles
from examples.order_processing.shop.database import Database
from examples.order_processing.shop.idempotency import Answer
from examples.order_processing.shop.refusal import Refusal

TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
MAYBE_TEXT = {"anyOf": [TEXT, {"type": "null"}]}
CENTS = {"type": "integer", "minimum": 1, "maximum": 100_000_000}
LINES = {
    "type": "array",
    "minItems": 1,
    "maxItems": 50,
    "items": {
        "type": "object",
        "required": ["sku", "quantity"],
        "properties": {"sku": TEXT, "quantity": {"type": "integer", "minimum": 1, "maximum": 1000}},
    },
}
ADDRESS = {
    "type": "object",
    "required": ["name", "street", "postal_code", "city", "country"],
    "properties": dict.fromkeys(("name", "street", "postal_code", "city", "country"), TEXT),
}
TROUBLE = {"enum": [*troubles.TROUBLES, None]}


def _body(*required: str, **properties: Any) -> Draft202012Validator:
    return Draft202012Validator({"type": "object", "required": list(required), "properties": properties})


def _undo(*names: str) -> Draft202012Validator:
    """The body of an undo: at least one of ``names`` says what is undone."""
    one_given = [{"required": [name], "properties": {name: {"type": "string"}}} for name in names]
    return Draft202012Validator({"type": "object", "anyOf": one_given, "properties": dict.fromkeys(names, MAYBE_TEXT)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One POST: ``service`` names what a scripted trouble may hit; ``act`` gets cursor, key and body."""

    body: Draft202012Validator
    act: Callable[[Any, str, Mapping[str, Any]], dict[str, Any]]
    service: str = ""


ORDER = {
    "type": "object",
    "required": ["order_id", "lines", "amount_cents"],
    "properties": {"order_id": TEXT, "lines": LINES, "amount_cents": CENTS},
}
POSTS: Mapping[str, Route] = {
    "/orders/validate": Route(body=_body("order", order=ORDER), act=pricing.validate),
    "/payments": Route(
        body=_body("order_id", "amount_cents", "card", order_id=TEXT, amount_cents=CENTS, card=TEXT, trouble=TROUBLE),
        act=payments.charge,
        service="payment",
    ),
    "/payments/refund": Route(body=_undo("payment", "key", "order_id"), act=payments.refund),
    "/stock/reserve": Route(
        body=_body("order_id", "lines", order_id=TEXT, lines=LINES, trouble=TROUBLE),
        act=stock.reserve,
        service="stock",
    ),
    "/stock/release": Route(body=_undo("reservation", "key"), act=stock.release),
    "/shipments": Route(
        body=_body(
            *("order_id", "reservation", "service", "address"),
            order_id=TEXT,
            reservation=TEXT,
            service={"enum": ["standard", "express"]},
            wrapping=MAYBE_TEXT,
            address=ADDRESS,
            trouble=TROUBLE,
        ),
        act=parcels.ship,
        service="shipment",
    ),
    "/shipments/cancel": Route(body=_undo("shipment", "key"), act=parcels.cancel),
    "/confirmations": Route(
        body=_body("order_id", "shipment", order_id=TEXT, shipment=TEXT),
        act=parcels.confirm,
    ),
}


def post(database: Database, *, path: str, key: str, body: Any) -> tuple[Answer, bool]:
    """Perform one POST in one transaction.

    Args:
        key: the Idempotency-Key.
        body: the parsed JSON body.

    Returns:
        The answer, and whether it is to be given late.

    Raises:
        Refusal: when the request is malformed, its key was used for another one, or the service is scripted to fail.
    """
    route = POSTS[path]
    problem = next(route.body.iter_errors(body), None)
    if problem is not None:
        raise Refusal(400, "BODY_INVALID", f"{problem.json_path}: {problem.message[:300]}")
    trouble = body.get("trouble")
    with database.transaction() as cursor:
        unavailable = troubles.refuse_at_first(cursor, trouble=trouble, service=route.service, key=key)
        if unavailable is None:
            answer = idempotency.once(
                cursor, key=key, path=path, body=body, effect=lambda: route.act(cursor, key, body)
            )
    if unavailable is not None:
        raise unavailable
    late = troubles.answers_late(trouble=trouble, service=route.service, replayed=answer.replayed)
    return answer, late and answer.status == 200  # a refusal is never late
