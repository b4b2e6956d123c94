//! Tenants with many clients and bookings, written past the service so that it is quick.

use super::db::{Engine, TestDb};
use uuid::Uuid;

/// How much there is.
pub(crate) struct Many {
    /// Tenants beside the first.
    pub(crate) tenants: u32,
    /// Clients of each.
    pub(crate) clients: u32,
    /// Bookings of each client.
    pub(crate) bookings: u32,
}

/// The words of an engine for what the two write differently.
struct Words(Engine);

impl Words {
    /// An id of a kind and a number.
    fn id(&self, kind: u32, number: &str) -> String {
        match self.0 {
            Engine::Sqlite => format!("unhex(printf('{kind:08x}0000700080%014x', {number}))"),
            Engine::Postgres => format!(
                "cast('{kind:08x}-0000-7000-80' || substr(lpad(to_hex({number}), 14, '0'), 1, 2) \
                 || '-' || substr(lpad(to_hex({number}), 14, '0'), 3) as uuid)"
            ),
        }
    }

    fn bytes(&self, text: &str) -> String {
        match self.0 {
            Engine::Sqlite => format!("cast({text} as blob)"),
            Engine::Postgres => format!("convert_to({text}, 'UTF8')"),
        }
    }

    fn time(&self, minutes: &str) -> String {
        match self.0 {
            Engine::Sqlite => format!(
                "strftime('%Y-%m-%dT%H:%M:%S+00:00', '2026-01-01', '+' || ({minutes}) || ' minutes')"
            ),
            Engine::Postgres => {
                format!("timestamptz '2026-01-01Z' + ({minutes}) * interval '1 minute'")
            }
        }
    }

    fn literal(&self, id: Uuid) -> String {
        match self.0 {
            Engine::Sqlite => format!("x'{}'", id.simple()),
            Engine::Postgres => format!("uuid '{id}'"),
        }
    }
}

impl TestDb {
    /// An id as SQL writes it.
    pub(crate) fn literal(&self, id: Uuid) -> String {
        Words(self.engine).literal(id)
    }

    /// Writes as many rows as there are to be, for this tenant and others that are made up.
    pub(crate) async fn fill(&self, tenant: Uuid, many: &Many) {
        let words = Words(self.engine);
        let id = words.id(1, "i");
        let others = format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < {})
            insert into tenants (id, slug, name, default_region, timezone, currency, date_order,
                status, created_at, updated_at)
            select {id}, 'made-up-' || i, 'Made up', 'IE', 'Europe/Dublin', 'EUR', 'dmy', 'active',
                {at}, {at} from n",
            many.tenants,
            at = words.time("0"),
        );
        self.run(&others).await;
        let first = words.literal(tenant);
        self.fill_one(&first, 100, many).await;
        for number in 1..=many.tenants {
            let other = words.id(1, &number.to_string());
            self.fill_one(&other, 100 + number, many).await;
        }
    }

    async fn fill_one(&self, tenant: &str, kind: u32, many: &Many) {
        let words = Words(self.engine);
        let numbers = |most: u32| {
            format!(
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < {most})"
            )
        };
        let (at, client) = (words.time("i"), words.id(kind, "i"));
        let phone = "'+35387' || (1000000 + i)";
        let name = "substr('abcdefghijklmnopqrstuvwxyz', 1 + i % 26, 1) || 'name' || (i % 50)";
        self.run(&format!(
            "{} insert into clients (tenant_id, id, phone, first_name, last_name, email, status,
                first_interaction_source, first_interaction_at, first_booking_at, last_booking_at,
                provenance, set_by_person, version, created_at, updated_at, sort_name,
                last_booking_order, bookings_count, spent_minor)
            select {tenant}, {client}, {phone}, {name}, 'Byrne', 'p' || i || '@x.example',
                case when i % 50 = 0 then 'inactive' else 'active' end,
                case when i % 100 = 0 then 'whatsapp' when i % 3 = 0 then 'voice' else 'web' end,
                {at}, {at}, {at}, '{{}}', '[]', 1, {at}, {at}, {sort_name}, cast(i as bigint) * 60000000,
                {}, 1000 + i % 700 from n",
            numbers(many.clients),
            many.bookings,
            sort_name = words.bytes(&format!("{name} || ' byrne'")),
        ))
        .await;
        self.run(&format!(
            "{} insert into client_identities
                (tenant_id, id, client_id, kind, value, is_current, created_at)
            select {tenant}, {client}, {client}, 'phone', {phone}, true, {at} from n",
            numbers(many.clients),
        ))
        .await;
        for word in [name.to_owned(), "'byrne'".to_owned(), "'p' || i || '@x.example'".to_owned()] {
            self.run(&format!(
                "{} insert into client_words (tenant_id, word, client_id)
                select {tenant}, {}, {client} from n where true on conflict do nothing",
                numbers(many.clients),
                words.bytes(&word),
            ))
            .await;
        }
        let owner = words.id(kind, &format!("(1 + i % {})", many.clients));
        self.run(&format!(
            "{} insert into bookings (tenant_id, id, client_id, booking_at, service_name,
                service_key, amount_minor, currency, status, payment_status, source, origin_key,
                flags, booked_at, version, created_at, updated_at)
            select {tenant}, {id}, {owner}, {at}, 'Service ' || (i % 7), 'service' || (i % 7), 5000,
                'EUR', case when i % 10 = 0 then 'cancelled' else 'confirmed' end, 'paid', 'web',
                'made-up-' || i, '[]', {at}, 1, {at}, {at} from n",
            numbers(many.clients * many.bookings),
            id = words.id(kind + 1_000_000, "i"),
        ))
        .await;
        let (event, booking) = (words.id(kind + 2_000_000, "i"), words.id(kind + 1_000_000, "i"));
        let count = many.clients * many.bookings;
        self.run(&format!(
            "{} insert into webhook_events (tenant_id, id, source, kind, body_hash, status,
                problems, answer, headers, raw, received_at, attempts, updated_at)
            select {tenant}, {event}, 'n8n', 'booking', '', 'tracked', '[]', '{{}}', '{{}}',
                {raw}, {at}, 1, {at} from n",
            numbers(count),
            raw = words.bytes("'{}'"),
        ))
        .await;
        self.run(&format!(
            "{} insert into booking_sightings (tenant_id, id, event_id, item, booking_id,
                event_time, rank, seq, sort_key, told_as, says, set_by_person, created_at, client_id)
            select {tenant}, {event}, {event}, '0', {booking}, {at}, 4, 0, 'made-up-' || i, '[]',
                '{{}}', '[]', {at}, {owner} from n",
            numbers(count),
        ))
        .await;
        self.run(&format!(
            "{} insert into audit_log
                (tenant_id, id, actor, action, subject_kind, subject_id, created_at)
            select {tenant}, {event}, 'command', 'client.updated', 'client', 'made-up-' || i, {at}
            from n",
            numbers(count),
        ))
        .await;
    }
}
