-- The tables of a careful hand-written booking service: the columns, keys and indexes of ours that
-- such a service would have as well.

create table clients (
    tenant_id uuid not null,
    id uuid not null,
    phone text not null,
    first_name text not null,
    last_name text not null,
    email text,
    status text not null check (status in ('active', 'inactive', 'blocked')),
    first_interaction_source text not null,
    first_interaction_at timestamptz not null,
    first_booking_at timestamptz,
    last_booking_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, id)
);
create unique index clients_by_phone on clients (tenant_id, phone);
create index clients_by_last_booking on clients (tenant_id, last_booking_at, id);

create table client_service_mappings (
    tenant_id uuid not null,
    id uuid not null,
    client_id uuid not null,
    provider text not null,
    business_id text not null,
    branch_id text not null,
    external_client_id text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, client_id) references clients (tenant_id, id)
);
create unique index client_service_mappings_by_external_id
    on client_service_mappings (tenant_id, provider, business_id, external_client_id);
create index client_service_mappings_by_client on client_service_mappings (tenant_id, client_id);

create table webhook_events (
    tenant_id uuid not null,
    id uuid not null,
    source text not null,
    delivery_key text not null,
    status text not null,
    raw bytea not null,
    received_at timestamptz not null,
    primary key (tenant_id, id)
);
create unique index webhook_events_by_delivery_key on webhook_events (tenant_id, delivery_key);

create table bookings (
    tenant_id uuid not null,
    id uuid not null,
    client_id uuid not null,
    event_id uuid not null,
    booking_at timestamptz not null,
    service_name text not null,
    duration_minutes bigint,
    amount_minor bigint check (amount_minor >= 0),
    currency text,
    status text not null,
    payment_status text not null,
    source text not null,
    origin_key text not null,
    booked_at timestamptz not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, client_id) references clients (tenant_id, id)
);
create unique index bookings_by_origin on bookings (tenant_id, origin_key);
create index bookings_by_client on bookings (tenant_id, client_id, booking_at);
create index bookings_by_start on bookings (tenant_id, booking_at, id);
