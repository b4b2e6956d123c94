-- Two clients who may be one person: shown by a delivery, never joined by one. A person decides.
--
-- The two stand in the order of their ids, so that a pair is one row whichever was met first.

create table client_duplicates (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    first_client uuid not null,
    second_client uuid not null,
    reason text not null,
    -- what the two share, as JSON
    detail text not null,
    -- the event that showed it
    event_id uuid,
    status text not null check (status in ('proposed', 'dismissed')),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, id),
    check (first_client < second_client),
    foreign key (tenant_id, first_client) references clients (tenant_id, id),
    foreign key (tenant_id, second_client) references clients (tenant_id, id),
    foreign key (tenant_id, event_id) references webhook_events (tenant_id, id)
);
create unique index client_duplicates_by_pair
    on client_duplicates (tenant_id, first_client, second_client, reason);
create index client_duplicates_by_second on client_duplicates (tenant_id, second_client);
create index client_duplicates_by_event on client_duplicates (tenant_id, event_id);
create index client_duplicates_by_status on client_duplicates (tenant_id, status, id);
