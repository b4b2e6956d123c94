-- The schema, one text for SQLite and PostgreSQL.
--
-- Ids are UUIDv7 made by the service, times are UTC and bound by it, money is whole minor units,
-- JSON is opaque text. A tenant-owned table has the primary key (tenant_id, id), and tenant_id
-- first in every unique index and foreign key: another tenant's row can't be referenced at all.

create table installation (
    name text primary key,
    value text not null default '',
    number bigint not null default 0
);

create table tenants (
    id uuid primary key,
    slug text not null unique,
    name text not null,
    default_region text not null,
    timezone text not null,
    currency text not null,
    date_order text not null check (date_order in ('dmy', 'mdy', 'ymd')),
    status text not null check (status in ('active', 'disabled')),
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table users (
    id uuid primary key,
    email text not null unique,
    password_hash text not null,
    role text not null check (role in ('platform_admin', 'client_admin', 'support_staff', 'service')),
    tenant_id uuid references tenants (id),
    status text not null check (status in ('active', 'disabled')),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    last_login_at timestamptz
);

create table sessions (
    id text primary key,
    user_id uuid not null references users (id),
    data text not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null
);
create index sessions_by_user on sessions (user_id);

create table api_tokens (
    id uuid primary key,
    token_hash text not null unique,
    tenant_id uuid references tenants (id),
    role text not null check (role in ('platform_admin', 'client_admin', 'support_staff', 'service')),
    name text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);

create table connections (
    id uuid primary key,
    public_id text not null unique,
    source text not null,
    -- null for a platform connection, which serves several tenants
    tenant_id uuid references tenants (id),
    status text not null check (status in ('active', 'disabled')),
    field_map text,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table connection_secrets (
    id uuid primary key,
    connection_id uuid not null references connections (id),
    purpose text not null check (purpose in ('signing', 'handshake')),
    -- XChaCha20-Poly1305: nonce, then ciphertext; key_id names the master key
    key_id text not null,
    sealed bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz
);
create index connection_secrets_by_connection on connection_secrets (connection_id);

create table connection_accounts (
    tenant_id uuid not null references tenants (id),
    source text not null,
    account_id text not null,
    connection_id uuid not null references connections (id),
    created_at timestamptz not null,
    primary key (tenant_id, source, account_id)
);
create index connection_accounts_by_connection on connection_accounts (connection_id);

-- Events that belong to no tenant; seen by platform admins only.
create table platform_inbox (
    id uuid primary key,
    connection_id uuid references connections (id),
    source text not null,
    kind text not null,
    account_id text,
    delivery_key_hash text unique,
    body_hash text not null,
    status text not null,
    reason text,
    problems text not null,
    answer text not null,
    headers text not null,
    raw bytea not null,
    occurred_at timestamptz,
    received_at timestamptz not null
);

create table webhook_events (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    connection_id uuid references connections (id),
    source text not null,
    kind text not null,
    account_id text,
    -- null once released: a rejected event, or an hour-long key that has run out
    delivery_key_hash text,
    body_hash text not null,
    status text not null check (status in
        ('tracked', 'ignored', 'needs_review', 'rejected', 'queued', 'failed')),
    reason text,
    problems text not null,
    understood text,
    answer text not null,
    overrides text,
    headers text not null,
    raw bytea not null,
    occurred_at timestamptz,
    received_at timestamptz not null,
    attempts integer not null,
    updated_at timestamptz not null,
    primary key (tenant_id, id)
);
create unique index webhook_events_by_delivery_key on webhook_events (tenant_id, delivery_key_hash);
create index webhook_events_by_status on webhook_events (tenant_id, status, id);

create table clients (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    phone text,
    whatsapp_id text,
    first_name text not null,
    last_name text not null,
    email text,
    status text not null check (status in ('active', 'inactive', 'blocked')),
    first_interaction_source text not null check (first_interaction_source in ('voice', 'web', 'whatsapp')),
    first_interaction_at timestamptz not null,
    first_booking_at timestamptz,
    last_booking_at timestamptz,
    -- which telling each field comes from, so that the order of arrival does not matter
    provenance text not null,
    -- names of the fields that a person set: no delivery changes them
    set_by_person text not null,
    search_text text not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, id)
);
create index clients_by_last_booking on clients (tenant_id, last_booking_at, id);

create table client_identities (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    client_id uuid not null,
    kind text not null check (kind in ('phone', 'whatsapp')),
    value text not null,
    -- false for a former value, kept as an alias
    is_current boolean not null,
    created_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, client_id) references clients (tenant_id, id)
);
create unique index client_identities_by_value on client_identities (tenant_id, kind, value);
create index client_identities_by_client on client_identities (tenant_id, client_id);

create table client_service_mappings (
    tenant_id uuid not null references tenants (id),
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

create table bookings (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    client_id uuid not null,
    booking_at timestamptz not null,
    service_name text not null,
    service_key text not null,
    service_category text,
    duration_minutes bigint,
    staff_member text,
    amount_minor bigint check (amount_minor >= 0),
    currency text,
    status text not null check (status in ('pending', 'confirmed', 'completed', 'cancelled', 'no_show')),
    payment_status text not null check (payment_status in ('pending', 'deposit_paid', 'paid', 'refunded')),
    source text not null check (source in ('voice', 'web', 'whatsapp')),
    -- null while the reference is unlabelled
    provider text,
    external_booking_id text,
    origin_key text not null,
    notes text,
    possible_duplicate_of uuid,
    flags text not null,
    -- when the customer booked, by the provider's clock
    booked_at timestamptz not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, client_id) references clients (tenant_id, id),
    foreign key (tenant_id, possible_duplicate_of) references bookings (tenant_id, id)
);
create unique index bookings_by_labelled_id
    on bookings (tenant_id, provider, external_booking_id, service_key) where provider is not null;
create unique index bookings_by_origin on bookings (tenant_id, origin_key);
create index bookings_by_client on bookings (tenant_id, client_id, booking_at);
create index bookings_by_start on bookings (tenant_id, booking_at, id);
create index bookings_by_possible_duplicate on bookings (tenant_id, possible_duplicate_of)
    where possible_duplicate_of is not null;

create table booking_sightings (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    event_id uuid not null,
    item text not null,
    -- null for a change that waits for its booking
    booking_id uuid,
    event_time timestamptz not null,
    rank smallint not null,
    seq integer not null,
    sort_key text not null,
    -- the identities by which it is found: call or message, labelled id, person and start
    context text,
    external_key text,
    person_key text,
    start_at timestamptz,
    -- the start that a move is to, where it moves from start_at
    target_at timestamptz,
    told_as text not null,
    says text not null,
    set_by_person text not null,
    created_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, event_id) references webhook_events (tenant_id, id),
    foreign key (tenant_id, booking_id) references bookings (tenant_id, id)
);
create unique index booking_sightings_by_event on booking_sightings (tenant_id, event_id, item);
create index booking_sightings_by_booking on booking_sightings (tenant_id, booking_id);
create index booking_sightings_by_context on booking_sightings (tenant_id, context);
create index booking_sightings_by_external_key on booking_sightings (tenant_id, external_key);
create index booking_sightings_by_person on booking_sightings (tenant_id, person_key, start_at);
create index booking_sightings_by_target on booking_sightings (tenant_id, person_key, target_at)
    where target_at is not null;

create table leads (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    phone text,
    whatsapp_id text,
    first_name text,
    last_name text,
    email text,
    source text not null check (source in ('voice', 'web', 'whatsapp')),
    details text,
    status text not null check (status in ('new', 'contacted', 'qualified', 'converted', 'lost')),
    -- what it was before its phone booked, should the booking turn out to be another's
    status_before text,
    interactions bigint not null,
    attempts bigint not null,
    last_contacted_at timestamptz,
    next_follow_up_at timestamptz,
    converted_client_id uuid,
    converted_at timestamptz,
    notes text,
    first_interaction_at timestamptz not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, converted_client_id) references clients (tenant_id, id)
);
create unique index leads_open_by_phone on leads (tenant_id, phone)
    where status in ('new', 'contacted', 'qualified');
create unique index leads_open_by_whatsapp on leads (tenant_id, whatsapp_id)
    where status in ('new', 'contacted', 'qualified');
create index leads_by_client on leads (tenant_id, converted_client_id);

create table lead_interactions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    lead_id uuid not null,
    event_id uuid,
    kind text not null,
    note text,
    created_at timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, lead_id) references leads (tenant_id, id),
    foreign key (tenant_id, event_id) references webhook_events (tenant_id, id)
);
create unique index lead_interactions_by_event on lead_interactions (tenant_id, event_id);
create index lead_interactions_by_lead on lead_interactions (tenant_id, lead_id, created_at);

-- Ids that were answered once and now mean another row: two bookings that proved to be one.
create table record_aliases (
    tenant_id uuid not null references tenants (id),
    kind text not null check (kind in ('booking', 'client', 'event')),
    id uuid not null,
    now_id uuid not null,
    created_at timestamptz not null,
    primary key (tenant_id, kind, id)
);

create table idempotency_answers (
    tenant_id uuid not null references tenants (id),
    key_hash text not null,
    body_hash text not null,
    status_code integer,
    answer text,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (tenant_id, key_hash)
);

-- Without a foreign key: what was done to a tenant outlives it. The nil UUID is the platform.
create table audit_log (
    tenant_id uuid not null,
    id uuid not null,
    actor text not null,
    action text not null,
    subject_kind text not null,
    subject_id text not null,
    detail text,
    created_at timestamptz not null,
    primary key (tenant_id, id)
);

insert into installation (name, number) values ('registry_version', 1);
