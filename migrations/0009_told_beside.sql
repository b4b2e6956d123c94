-- A phone or WhatsApp id that arrived together with a client's other identity, and could not become
-- the client's, who has another of its kind: should somebody turn up with it, the two may be one.
create table identities_told_beside (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    kind text not null check (kind in ('phone', 'whatsapp')),
    value text not null,
    client_id uuid not null,
    -- the event that told the two together
    event_id uuid not null,
    created_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, client_id) references clients (tenant_id, id),
    foreign key (tenant_id, event_id) references webhook_events (tenant_id, id)
);
create unique index identities_told_beside_by_value
    on identities_told_beside (tenant_id, kind, value, client_id);
create index identities_told_beside_by_client on identities_told_beside (tenant_id, client_id);
create index identities_told_beside_by_event on identities_told_beside (tenant_id, event_id);
-- Words that were changed or taken back before the message that they were said in arrived.
create index webhook_events_by_reworded on webhook_events (tenant_id, review_context)
    where status = 'ignored' and review_context is not null;
