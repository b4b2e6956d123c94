-- What the API needs to list, search and sum up clients without reading a table through.

-- The words by which a client is found: names and e-mail, folded to plain lower case. Bytes, so
-- that the beginning of a word is a range alike on both engines.
create table client_words (
    tenant_id uuid not null references tenants (id),
    word bytea not null,
    client_id uuid not null,
    primary key (tenant_id, word, client_id),
    foreign key (tenant_id, client_id) references clients (tenant_id, id)
);
create index client_words_by_client on client_words (tenant_id, client_id, word);

alter table clients drop column search_text;
-- The folded name, by which lists are sorted; null in a row of an older program, until the next start.
alter table clients add column sort_name bytea;
-- Microseconds of last_booking_at, 0 for never: nulls sort differently on the two engines.
alter table clients add column last_booking_order bigint not null default 0;
-- Of the bookings that are neither cancelled nor missed; spent is in the tenant's currency, without
-- what was paid back.
alter table clients add column bookings_count bigint not null default 0;
alter table clients add column spent_minor bigint not null default 0;
-- When the person asked to be forgotten: the row stays for the statistics and names nobody.
alter table clients add column erased_at timestamptz;

update clients set
    bookings_count = (
        select count(*) from bookings b
        where b.tenant_id = clients.tenant_id and b.client_id = clients.id
            and b.status not in ('cancelled', 'no_show')),
    spent_minor = (
        select cast(coalesce(sum(b.amount_minor), 0) as bigint)
        from bookings b join tenants t on t.id = b.tenant_id and t.currency = b.currency
        where b.tenant_id = clients.tenant_id and b.client_id = clients.id
            and b.status not in ('cancelled', 'no_show') and b.payment_status <> 'refunded');

drop index clients_by_last_booking;
create index clients_by_last_booking on clients (tenant_id, last_booking_order, id);
create index clients_by_name on clients (tenant_id, sort_name, id);
create index clients_by_bookings on clients (tenant_id, bookings_count, id);
create index clients_by_spent on clients (tenant_id, spent_minor, id);
create index clients_by_email on clients (tenant_id, email, id) where email is not null;
-- Few are: found by their state without passing over all the others.
create index clients_not_active on clients (tenant_id, status, id) where status <> 'active';
-- Everything that the statistics count.
create index clients_by_first_interaction
    on clients (tenant_id, first_interaction_source, status, first_interaction_at);

-- Everything that a profile sums up, without reading the bookings' rows.
drop index bookings_by_client;
create index bookings_by_client on bookings (tenant_id, client_id, booking_at, id, status,
    payment_status, currency, amount_minor, service_name);

-- Whom a telling is of, so that a client's events are found without passing over its bookings.
alter table booking_sightings add column client_id uuid;
update booking_sightings set client_id = (
    select b.client_id from bookings b
    where b.tenant_id = booking_sightings.tenant_id and b.id = booking_sightings.booking_id);
create index booking_sightings_by_client on booking_sightings (tenant_id, client_id, event_id);

create index audit_log_by_subject on audit_log (tenant_id, subject_kind, subject_id, id);

-- 1 once the words of an older program's clients are written.
insert into installation (name, number) values ('client_words', 0);
