-- The id that was answered for a delivery while it was queued, where another instance had stored
-- the same delivery under an id of its own. An id, once answered, is found for ever.
create table event_aliases (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    event_id uuid not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, event_id) references webhook_events (tenant_id, id)
);
create index event_aliases_by_event on event_aliases (tenant_id, event_id);

create table platform_inbox_aliases (
    id uuid primary key,
    event_id uuid not null references platform_inbox (id)
);
create index platform_inbox_aliases_by_event on platform_inbox_aliases (event_id);
