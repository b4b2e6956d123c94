-- What `seed customers` made, so that `seed clean` removes exactly that.
create table seeded_rows (
    tenant_id uuid not null references tenants (id),
    kind text not null check (kind in ('client', 'mapping', 'booking', 'event', 'lead')),
    id uuid not null,
    created_at timestamptz not null,
    primary key (tenant_id, kind, id)
);
