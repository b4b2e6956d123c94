-- What the API's lists of bookings and leads need to stay cheap at half a million bookings.

-- Who is to do it, folded as a service's name is: a list is narrowed by it in any spelling.
alter table bookings add column staff_key text;
update bookings set staff_key = replace(lower(staff_member), ' ', '') where staff_member is not null;

create index bookings_by_status on bookings (tenant_id, status, booking_at, id);
create index bookings_by_payment on bookings (tenant_id, payment_status, booking_at, id);
create index bookings_by_source on bookings (tenant_id, source, booking_at, id);
create index bookings_by_service on bookings (tenant_id, service_key, booking_at, id);
create index bookings_by_staff on bookings (tenant_id, staff_key, booking_at, id);

-- The whole name and the last one, folded; as bytes, since both databases compare those alike.
alter table leads add column name_key bytea;
alter table leads add column last_name_key bytea;
alter table leads add column email_key bytea;

create index leads_by_status on leads (tenant_id, status, id);
create index leads_by_follow_up on leads (tenant_id, next_follow_up_at, id)
    where next_follow_up_at is not null;
create index leads_by_phone on leads (tenant_id, phone, id);
create index leads_by_name on leads (tenant_id, name_key, id);
create index leads_by_last_name on leads (tenant_id, last_name_key, id);
create index leads_by_email on leads (tenant_id, email_key, id);
