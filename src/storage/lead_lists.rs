//! Lists of leads: narrowed, sorted, page by page.

use super::lead_records::LeadRecord;
use super::leads::fold;
use super::{Conn, Result, fetch_all, statements};
use crate::domain::channel::{Channel, LeadStatus};
use crate::domain::phone::Phone;
use chrono::{DateTime, TimeZone as _, Utc};
use uuid::Uuid;

/// What all lists have in common.
macro_rules! list {
    ($lead:expr, $order:expr) => {
        concat!(
            "
        select id, phone, whatsapp_id, first_name, last_name, email, source, details, status,
            interactions, attempts, last_contacted_at, next_follow_up_at, converted_client_id,
            converted_at, notes, first_interaction_at, version, created_at, updated_at
        from leads where tenant_id = $1
            and (cast($4 as text) is null or status = $4)
            and (cast($5 as text) is null or source = $5)
            and (cast($6 as timestamptz) is null or next_follow_up_at < $6)
            ",
            $lead,
            " ",
            $order,
            " limit $3"
        )
    };
}

/// By when they came: the first first, or the last.
macro_rules! forth {
    ($lead:expr) => {
        list!($lead, "and id > $2 order by id")
    };
}
macro_rules! back {
    ($lead:expr) => {
        list!($lead, "and id < $2 order by id desc")
    };
}

/// By what is due, with the parameter of the key: the first first, or the last.
macro_rules! due_forth {
    ($lead:expr, $at:literal) => {
        list!(
            $lead,
            concat!(
                "and next_follow_up_at is not null and (next_follow_up_at, id) > (",
                $at,
                ", $2) order by next_follow_up_at, id"
            )
        )
    };
}
macro_rules! due_back {
    ($lead:expr, $at:literal) => {
        list!(
            $lead,
            concat!(
                "and next_follow_up_at is not null and (next_follow_up_at, id) < (",
                $at,
                ", $2) order by next_follow_up_at desc, id desc"
            )
        )
    };
}

/// Names are sought whole and by the last one.
macro_rules! of_name {
    () => {
        "and ((name_key >= $7 and name_key < $8) or (last_name_key >= $7 and last_name_key < $8))"
    };
}
macro_rules! of_email {
    () => {
        "and email_key >= $7 and email_key < $8"
    };
}

statements! {
    EVERY_FORTH = forth!("");
    EVERY_BACK = back!("");
    EVERY_DUE_FORTH = due_forth!("", "$7");
    EVERY_DUE_BACK = due_back!("", "$7");
    IN_STATE_FORTH = forth!("and status = $4");
    IN_STATE_BACK = back!("and status = $4");
    OF_PHONE_FORTH = forth!("and phone = $7");
    OF_PHONE_BACK = back!("and phone = $7");
    OF_PHONE_DUE_FORTH = due_forth!("and phone = $7", "$8");
    OF_PHONE_DUE_BACK = due_back!("and phone = $7", "$8");
    OF_EMAIL_FORTH = forth!(of_email!());
    OF_EMAIL_BACK = back!(of_email!());
    OF_EMAIL_DUE_FORTH = due_forth!(of_email!(), "$9");
    OF_EMAIL_DUE_BACK = due_back!(of_email!(), "$9");
    OF_NAME_FORTH = forth!(of_name!());
    OF_NAME_BACK = back!(of_name!());
    OF_NAME_DUE_FORTH = due_forth!(of_name!(), "$9");
    OF_NAME_DUE_BACK = due_back!(of_name!(), "$9");
}

/// What a lead is sought by.
#[derive(Clone, Debug)]
pub enum Sought {
    /// This number.
    Phone(Phone),
    /// An e-mail address that begins so.
    Email(String),
    /// A name, or a last name, that begins so.
    Name(String),
}

/// What a list of leads is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct LeadFilter {
    /// Only those in this state.
    pub status: Option<LeadStatus>,
    /// Only those who asked this way.
    pub source: Option<Channel>,
    /// Only those to be followed up before this time.
    pub due_before: Option<DateTime<Utc>>,
    /// Only those who are sought.
    pub sought: Option<Sought>,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// True where it is sorted by what is due, and has only what is.
    pub by_due: bool,
    /// Whether it goes from the last to the first.
    pub descending: bool,
    /// The due date (or any time) and id of the last row of the page before.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

/// The leads of a page, at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    filter: &LeadFilter,
    start: Start,
    limit: i64,
) -> Result<Vec<LeadRecord>> {
    let (at, id) = start.after.unwrap_or_else(|| {
        if start.descending { (end(), Uuid::max()) } else { (DateTime::UNIX_EPOCH, Uuid::nil()) }
    });
    let status = filter.status.map(LeadStatus::as_str);
    let (source, before) = (filter.source.map(Channel::as_str), filter.due_before);
    let sql = statement(filter, start);
    Ok(match (&filter.sought, start.by_due) {
        (None, false) => {
            fetch_all!(conn, LeadRecord, sql, tenant, id, limit, status, source, before)?
        }
        (None, true) => {
            fetch_all!(conn, LeadRecord, sql, tenant, id, limit, status, source, before, at)?
        }
        (Some(Sought::Phone(phone)), false) => {
            let phone = phone.as_str();
            fetch_all!(conn, LeadRecord, sql, tenant, id, limit, status, source, before, phone)?
        }
        (Some(Sought::Phone(phone)), true) => {
            let phone = phone.as_str();
            fetch_all!(conn, LeadRecord, sql, tenant, id, limit, status, source, before, phone, at)?
        }
        (Some(Sought::Email(text) | Sought::Name(text)), by_due) => {
            let (low, high) = range(text);
            let (low, high) = (low.as_slice(), high.as_slice());
            if by_due {
                fetch_all!(
                    conn, LeadRecord, sql, tenant, id, limit, status, source, before, low, high, at
                )?
            } else {
                fetch_all!(
                    conn, LeadRecord, sql, tenant, id, limit, status, source, before, low, high
                )?
            }
        }
    })
}

/// The statement of what is sought, in this order.
fn statement(filter: &LeadFilter, start: Start) -> &'static str {
    let all = match &filter.sought {
        Some(Sought::Phone(_)) => {
            [OF_PHONE_FORTH, OF_PHONE_BACK, OF_PHONE_DUE_FORTH, OF_PHONE_DUE_BACK]
        }
        Some(Sought::Email(_)) => {
            [OF_EMAIL_FORTH, OF_EMAIL_BACK, OF_EMAIL_DUE_FORTH, OF_EMAIL_DUE_BACK]
        }
        Some(Sought::Name(_)) => [OF_NAME_FORTH, OF_NAME_BACK, OF_NAME_DUE_FORTH, OF_NAME_DUE_BACK],
        None if filter.status.is_some() => {
            [IN_STATE_FORTH, IN_STATE_BACK, EVERY_DUE_FORTH, EVERY_DUE_BACK]
        }
        None => [EVERY_FORTH, EVERY_BACK, EVERY_DUE_FORTH, EVERY_DUE_BACK],
    };
    let [forth, back, due_forth, due_back] = all;
    match (start.by_due, start.descending) {
        (false, false) => forth,
        (false, true) => back,
        (true, false) => due_forth,
        (true, true) => due_back,
    }
}

/// The first key that begins so, and the first after them all: no text has the byte 255.
fn range(text: &str) -> (Vec<u8>, Vec<u8>) {
    let low = fold(text).into_bytes();
    let high = low.iter().copied().chain([u8::MAX]).collect();
    (low, high)
}

/// After any date.
fn end() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(9999, 12, 31, 0, 0, 0).single().unwrap_or(DateTime::<Utc>::MAX_UTC)
}
