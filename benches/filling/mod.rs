//! A database as years of deliveries leave it, written in a few statements: the rows that tracking
//! would have written, with their counters and words.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use std::fmt::Write as _;
use uuid::Uuid;

/// 1 January 2024, in seconds.
const BEGIN: u64 = 1_704_067_200;

const FIRST: &[&str] = &[
    "Aoife", "Ciaran", "Niamh", "Siobhan", "Eoin", "Grainne", "Orla", "Declan", "Maeve", "Sean",
    "Fiona", "Patrick", "Brigid", "Conor", "Roisin", "Liam", "Emma", "Jack", "Chloe", "Grace",
    "Noah", "Ella", "Daniel", "Sophie", "Adam", "Lucy", "Cillian", "Anna", "Fionn", "Kate",
];

const LAST: &[&str] = &[
    "Murphy", "Kelly", "Walsh", "Ryan", "Doyle", "Nolan", "Byrne", "Quinn", "Brennan", "Burke",
    "Carroll", "Collins", "Connolly", "Daly", "Doherty", "Dunne", "Farrell", "Fitzgerald", "Flynn",
    "Gallagher", "Healy", "Hughes", "Johnston", "Kavanagh", "Keane", "Kennedy", "Lynch", "Maguire",
    "Martin", "McCarthy", "Moore", "Moran", "Power", "Reilly", "Sheehan", "Smith", "Sweeney",
    "Thompson", "Whelan", "White",
];

/// Name, category, minutes, price.
const SERVICES: &[(&str, &str, u32, u32)] = &[
    ("Swedish Massage", "Massage", 60, 6500),
    ("Deep Tissue Massage", "Massage", 60, 7500),
    ("Hot Stone Massage", "Massage", 90, 9500),
    ("Classic Facial", "Facial", 45, 5500),
    ("Hydrating Facial", "Facial", 60, 7000),
    ("Gel Manicure", "Nails", 45, 4500),
    ("Luxury Pedicure", "Nails", 60, 5000),
    ("Cut & Blow Dry", "Hair", 60, 6000),
    ("Full Colour", "Hair", 120, 12000),
    ("Beard Trim", "Hair", 20, 2000),
];

const STAFF: &[&str] = &["Sarah", "Emma", "Liam", "Grace", "Chloe", "Nora", "Peter"];

/// A tenant to be filled.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) tenant: Uuid,
    /// Its place among the tenants: no two have the same ids.
    pub(crate) number: u64,
    pub(crate) clients: u64,
    /// How many bookings each client has.
    pub(crate) each: u64,
}

/// The id of a client, as the fill makes it: one that sorts by when it was made.
pub(crate) fn client_id(size: Size, client: u64) -> Uuid {
    let millis = (BEGIN + client * 600) * 1000;
    id(millis, size.number, client)
}

fn id(millis: u64, tenant: u64, number: u64) -> Uuid {
    let text = format!("{millis:012x}7{tenant:03x}8000{number:012x}");
    Uuid::try_parse(&text).unwrap()
}

/// The phone of a client.
pub(crate) fn phone(client: u64) -> String {
    format!("+35387{:07}", 1_000_000 + client)
}

/// The e-mail address of a client.
pub(crate) fn email(client: u64) -> String {
    let (first, last) = (pick(FIRST, client), pick(LAST, client / 7));
    format!("{}.{}{client}@example.com", first.to_lowercase(), last.to_lowercase())
}

fn pick<'a>(list: &[&'a str], number: u64) -> &'a str {
    let place = usize::try_from(number).unwrap() % list.len();
    list.get(place).copied().unwrap_or_default()
}

/// How an engine says what both can do.
#[derive(Clone, Copy)]
struct Words {
    sqlite: bool,
}

impl Words {
    /// The numbers from 0 on, as `i`.
    fn series(self, count: u64) -> String {
        if self.sqlite {
            return format!(
                "(with recursive s(i) as (select 0 union all select i + 1 from s \
                 where i + 1 < {count}) select i from s) as s"
            );
        }
        format!("generate_series(cast(0 as bigint), cast({count} - 1 as bigint)) as s(i)")
    }

    fn uuid(self, id: Uuid) -> String {
        let hex = id.simple();
        if self.sqlite { format!("x'{hex}'") } else { format!("cast('{hex}' as uuid)") }
    }

    /// The id of [`id`], of seconds and a number.
    fn id(self, seconds: &str, tenant: u64, number: &str) -> String {
        if self.sqlite {
            return format!(
                "unhex(printf('%012x7{tenant:03x}8000%012x', ({seconds}) * 1000, {number}))"
            );
        }
        format!(
            "cast(lpad(to_hex(cast(({seconds}) * 1000 as bigint)), 12, '0') || '7{tenant:03x}8000' \
             || lpad(to_hex({number}), 12, '0') as uuid)"
        )
    }

    fn time(self, seconds: &str) -> String {
        if self.sqlite {
            return format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', {seconds}, 'unixepoch')");
        }
        format!("to_timestamp({seconds})")
    }

    fn bytes(self, text: &str) -> String {
        if self.sqlite {
            return format!("cast({text} as blob)");
        }
        format!("convert_to({text}, 'UTF8')")
    }

    /// Of a list, by a number.
    fn pick(list: impl IntoIterator<Item = String>, number: &str) -> String {
        let list: Vec<String> = list.into_iter().collect();
        let mut text = format!("case ({number}) % {}", list.len());
        for (place, value) in list.iter().enumerate() {
            write!(text, " when {place} then {value}").unwrap();
        }
        text + " end"
    }

    fn words(list: &[&str], number: &str) -> String {
        Self::pick(list.iter().map(|word| format!("'{word}'")), number)
    }
}

/// The statements that fill a tenant, in their order.
fn statements(size: Size, sqlite: bool) -> Vec<String> {
    let to = Words { sqlite };
    let Size { tenant, number, clients, each } = size;
    let tenant = to.uuid(tenant);
    let (first, last) = (Words::words(FIRST, "i"), Words::words(LAST, "i / 7"));
    let made = format!("{BEGIN} + i * 600");
    let client = to.id(&made, number, "i");
    let series = to.series(clients);
    let phone = "'+35387' || (1000000 + i)";
    let email = "lower(first) || '.' || lower(last) || i || '@example.com'";
    let people = format!("(select i, {first} as first, {last} as last from {series}) as people");
    let source = Words::words(&["voice", "voice", "web", "whatsapp"], "i");
    // One in fifty is not active.
    let status =
        "case when i % 50 = 0 then 'inactive' when i % 997 = 0 then 'blocked' else 'active' end";
    let at = to.time(&made);
    let sort_name = to.bytes("lower(first || ' ' || last)");
    let mut all = vec![
        format!(
            "insert into clients (tenant_id, id, phone, first_name, last_name, email, status,
                first_interaction_source, first_interaction_at, provenance, set_by_person,
                sort_name, version, created_at, updated_at)
            select {tenant}, {client}, {phone}, first, last, {email}, {status}, {source}, {at},
                '{{}}', '[]', {sort_name}, 1, {at}, {at}
            from {people}"
        ),
        format!(
            "insert into client_identities (tenant_id, id, client_id, kind, value, is_current,
                created_at)
            select {tenant}, {client}, {client}, 'phone', {phone}, {yes}, {at} from {series}",
            yes = if sqlite { "1" } else { "true" },
        ),
        format!(
            "insert into client_service_mappings (tenant_id, id, client_id, provider, business_id,
                branch_id, external_client_id, created_at, updated_at)
            select {tenant}, {client}, {client}, 'phorest', 'business', 'branch', 'client-' || i,
                {at}, {at}
            from {series}"
        ),
    ];
    let forms = ["lower(first)", "lower(last)", email, "lower(last) || i"];
    all.extend(forms.map(|word| {
        format!(
            "insert into client_words (tenant_id, word, client_id)
            select {tenant}, {}, {client} from {people} where true on conflict do nothing",
            to.bytes(word)
        )
    }));
    all.extend(bookings(size, to, &tenant));
    all.push(format!(
        "update clients set
            bookings_count = (
                select count(*) from bookings b
                where b.tenant_id = clients.tenant_id and b.client_id = clients.id
                    and b.status not in ('cancelled', 'no_show')),
            spent_minor = (
                select cast(coalesce(sum(b.amount_minor), 0) as bigint) from bookings b
                where b.tenant_id = clients.tenant_id and b.client_id = clients.id
                    and b.status not in ('cancelled', 'no_show')
                    and b.payment_status <> 'refunded'),
            first_booking_at = (
                select min(b.booked_at) from bookings b
                where b.tenant_id = clients.tenant_id and b.client_id = clients.id),
            last_booking_at = (
                select max(b.booked_at) from bookings b
                where b.tenant_id = clients.tenant_id and b.client_id = clients.id)
        where tenant_id = {tenant}"
    ));
    let micros = if sqlite {
        "unixepoch(last_booking_at) * 1000000"
    } else {
        "cast(extract(epoch from last_booking_at) as bigint) * 1000000"
    };
    if each > 0 {
        all.push(format!(
            "update clients set last_booking_order = {micros} where tenant_id = {tenant}"
        ));
    }
    all
}

/// Events, bookings and what they were told as.
fn bookings(size: Size, to: Words, tenant: &str) -> Vec<String> {
    let Size { number, clients, each, .. } = size;
    if each == 0 {
        return Vec::new();
    }
    let count = clients * each;
    // The n-th booking is of client n % clients: everybody comes again and again.
    let series = to.series(count);
    let owner =
        to.id(&format!("{BEGIN} + (i % {clients}) * 600"), number, &format!("i % {clients}"));
    let booked = format!("{BEGIN} + (i % {clients}) * 600 + (i / {clients}) * 2592000");
    let id = to.id(&booked, number, "i");
    let (booked_at, start) =
        (to.time(&booked), to.time(&format!("({booked}) / 3600 * 3600 + 259200")));
    let service =
        |of: fn(&(&str, &str, u32, u32)) -> String| Words::pick(SERVICES.iter().map(of), "i / 3");
    let name = service(|s| format!("'{}'", s.0));
    let key = service(|s| {
        let key: String = s.0.chars().filter(|c| c.is_alphanumeric()).collect();
        format!("'{}'", key.to_lowercase())
    });
    let category = service(|s| format!("'{}'", s.1));
    let minutes = service(|s| s.2.to_string());
    let amount = service(|s| s.3.to_string());
    let staff = Words::words(STAFF, "i / 11");
    let lower: Vec<String> = STAFF.iter().map(|name| name.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let staff_key = Words::words(&lower, "i / 11");
    let status = Words::words(
        &[
            "completed", "completed", "completed", "completed", "confirmed", "confirmed",
            "pending", "cancelled", "no_show", "completed",
        ],
        "i / 13",
    );
    let payment = Words::words(&["paid", "paid", "deposit_paid", "pending"], "i / 17");
    let source = Words::words(&["voice", "web", "whatsapp"], "i / 5");
    let raw = to.bytes("'{\"event\":\"call_ended\",\"call\":{\"call_id\":\"call_' || i || '\",\"transcript\":\"Agent: Good morning. User: I would like to book.\"}}'");
    vec![
        format!(
            "insert into webhook_events (tenant_id, id, source, kind, delivery_key_hash, body_hash,
                status, problems, answer, headers, raw, occurred_at, received_at, attempts,
                updated_at)
            select {tenant}, {id}, 'retell', 'call_ended', 'key-' || i, 'body-' || i, 'tracked',
                '[]', '{{}}', '{{}}', {raw}, {booked_at}, {booked_at}, 1, {booked_at}
            from {series}"
        ),
        format!(
            "insert into bookings (tenant_id, id, client_id, booking_at, service_name, service_key,
                service_category, duration_minutes, staff_member, staff_key, amount_minor,
                currency, status, payment_status, source, provider, external_booking_id,
                origin_key, flags, booked_at, version, created_at, updated_at)
            select {tenant}, {id}, {owner}, {start}, {name}, {key}, {category}, {minutes}, {staff},
                {staff_key}, {amount}, 'EUR', {status}, {payment}, {source}, 'phorest',
                'booking-' || i, 'origin-' || i, '[]', {booked_at}, 1, {booked_at}, {booked_at}
            from {series}"
        ),
        format!(
            "insert into booking_sightings (tenant_id, id, event_id, item, booking_id, event_time,
                rank, seq, sort_key, context, external_key, person_key, start_at, told_as, says,
                set_by_person, created_at, client_id)
            select {tenant}, {id}, {id}, 'booking', {id}, {booked_at}, 1, 0, 'key-' || i,
                'retell:call_' || i, 'booking-' || i, 'phone:+35387' || (1000000 + i % {clients}),
                {start}, '[]', '{{}}', '[]', {booked_at}, {owner}
            from {series}"
        ),
    ]
}

/// Fills the tenants, and lets the database learn what it holds.
pub(crate) async fn fill(database: &str, sizes: &[Size]) {
    let sqlite = database.starts_with("sqlite:");
    let mut all: Vec<String> = sizes.iter().flat_map(|size| statements(*size, sqlite)).collect();
    all.push(if sqlite { "analyze" } else { "vacuum analyze" }.to_owned());
    if sqlite {
        let mut file = SqliteConnection::connect(database).await.unwrap();
        for statement in all {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut file).await.unwrap();
        }
    } else {
        let mut server = PgConnection::connect(database).await.unwrap();
        for statement in all {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut server).await.unwrap();
        }
    }
}
