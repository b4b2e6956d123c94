-- Made anew: the platform's own requests have keys too, and belong to no tenant (the nil UUID).
-- What it held was kept for a day only.
drop table idempotency_answers;
create table idempotency_answers (
    tenant_id uuid not null,
    key_hash text not null,
    body_hash text not null,
    status_code integer,
    answer text,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (tenant_id, key_hash)
);
-- Answers that have run out are sought by their time alone.
create index idempotency_answers_by_expiry on idempotency_answers (expires_at);
