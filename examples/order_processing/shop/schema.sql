-- The shop's own tables. Money is in cents, `key` is the Idempotency-Key of the request that had the effect.
CREATE SCHEMA shop;

CREATE TABLE shop.products (
    sku         text CONSTRAINT products_pk PRIMARY KEY,
    name        text NOT NULL,
    price_cents integer NOT NULL CONSTRAINT products_price_positive CHECK (price_cents > 0)
);

-- `initial` never changes; the books hold initial = on_hand + reserved + shipped.
CREATE TABLE shop.stock (
    sku      text CONSTRAINT stock_pk PRIMARY KEY CONSTRAINT stock_of_product REFERENCES shop.products (sku),
    initial  integer NOT NULL CONSTRAINT stock_initial_not_negative CHECK (initial >= 0),
    on_hand  integer NOT NULL CONSTRAINT stock_on_hand_not_negative CHECK (on_hand >= 0),
    reserved integer NOT NULL DEFAULT 0 CONSTRAINT stock_reserved_not_negative CHECK (reserved >= 0),
    shipped  integer NOT NULL DEFAULT 0 CONSTRAINT stock_shipped_not_negative CHECK (shipped >= 0)
);

-- One row per Idempotency-Key: the insertion serialises duplicates, the answer is what each of them gets,
-- byte for byte (json, not jsonb).
-- A key that an undo voided before its request arrived has no body digest.
CREATE TABLE shop.requests (
    key         text CONSTRAINT requests_pk PRIMARY KEY,
    path        text NOT NULL,
    body_digest text,
    status      integer,
    answer      json,
    calls       integer NOT NULL DEFAULT 1,
    first_at    timestamptz NOT NULL DEFAULT now()
);

-- How often a request that is to fail a few times has been refused.
CREATE TABLE shop.troubles (
    key   text CONSTRAINT troubles_pk PRIMARY KEY,
    calls integer NOT NULL DEFAULT 0
);

-- What really happened, one row per effect; that a key has only one is checked, not forced.
CREATE TABLE shop.effects (
    number   bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT effects_pk PRIMARY KEY,
    key      text NOT NULL,
    kind     text NOT NULL,
    order_id text NOT NULL,
    subject  text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX effects_by_key ON shop.effects (key);
CREATE INDEX effects_by_subject ON shop.effects (subject);

CREATE TABLE shop.payments (
    id           text DEFAULT 'pay_' || replace(gen_random_uuid()::text, '-', '') CONSTRAINT payments_pk PRIMARY KEY,
    order_id     text NOT NULL,
    key          text NOT NULL CONSTRAINT payments_key_unique UNIQUE,
    amount_cents integer NOT NULL CONSTRAINT payments_amount_positive CHECK (amount_cents > 0),
    taken_at     timestamptz NOT NULL DEFAULT now(),
    refunded_at  timestamptz
);
CREATE UNIQUE INDEX payments_one_open_per_order ON shop.payments (order_id) WHERE refunded_at IS NULL;

CREATE TABLE shop.reservations (
    id          text DEFAULT 'res_' || replace(gen_random_uuid()::text, '-', '') CONSTRAINT reservations_pk PRIMARY KEY,
    order_id    text NOT NULL,
    key         text NOT NULL CONSTRAINT reservations_key_unique UNIQUE,
    state       text NOT NULL DEFAULT 'reserved'
                CONSTRAINT reservations_state_known CHECK (state IN ('reserved', 'released', 'shipped')),
    reserved_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX reservations_one_open_per_order ON shop.reservations (order_id) WHERE state <> 'released';

CREATE TABLE shop.reservation_lines (
    reservation_id text NOT NULL CONSTRAINT lines_of_reservation REFERENCES shop.reservations (id),
    sku            text NOT NULL CONSTRAINT lines_of_stock REFERENCES shop.stock (sku),
    quantity       integer NOT NULL CONSTRAINT lines_quantity_positive CHECK (quantity > 0),
    CONSTRAINT reservation_lines_pk PRIMARY KEY (reservation_id, sku)
);

CREATE TABLE shop.shipments (
    id             text DEFAULT 'shp_' || replace(gen_random_uuid()::text, '-', '') CONSTRAINT shipments_pk PRIMARY KEY,
    order_id       text NOT NULL,
    key            text NOT NULL CONSTRAINT shipments_key_unique UNIQUE,
    reservation_id text NOT NULL CONSTRAINT shipments_of_reservation REFERENCES shop.reservations (id),
    service        text NOT NULL,
    wrapping       text,
    address        jsonb NOT NULL,
    shipped_at     timestamptz NOT NULL DEFAULT now(),
    cancelled_at   timestamptz
);
CREATE INDEX shipments_by_reservation ON shop.shipments (reservation_id);
CREATE UNIQUE INDEX shipments_one_active_per_order ON shop.shipments (order_id) WHERE cancelled_at IS NULL;

CREATE TABLE shop.confirmations (
    id           text DEFAULT 'cnf_' || replace(gen_random_uuid()::text, '-', '') CONSTRAINT confirmations_pk PRIMARY KEY,
    order_id     text NOT NULL,
    key          text NOT NULL CONSTRAINT confirmations_key_unique UNIQUE,
    shipment_id  text NOT NULL CONSTRAINT confirmations_of_shipment REFERENCES shop.shipments (id),
    confirmed_at timestamptz NOT NULL DEFAULT now()
);
