//! The answer to an agent in the middle of a conversation: a few words to speak from.
//!
//! It comes back to us as the function's result when the conversation has ended, and is read then
//! as any tool's: so it says plainly whether it was done, and names the booking by `bookingId`.

use super::Shared;
use crate::domain::channel::{BookingStatus, EventStatus};
use crate::domain::problem::Problem;
use crate::domain::tenant::TenantSettings;
use crate::storage;
use crate::storage::bookings::{self, BookingRow};
use crate::tracking::answer::Answer;
use crate::tracking::intake::Spoken;
use actix_web::HttpResponse;
use uuid::Uuid;

/// Puts what became of an event into words; `success` is true only when the booking is tracked.
pub(super) async fn answer(shared: &Shared, spoken: &Spoken) -> HttpResponse {
    let Spoken { answer, tenant } = spoken;
    let booking = match (tenant, answer.booking_id) {
        (Some(tenant), Some(id)) => find(shared, tenant.id, id).await.unwrap_or_default(),
        _ => None,
    };
    let success = answer.outcome == EventStatus::Tracked && answer.booking_id.is_some();
    let message = match (success, tenant.as_deref().zip(booking)) {
        (true, Some((tenant, row))) => done(tenant, &row),
        (true, None) => "It is done.".to_owned(),
        (false, _) => not_done(answer),
    };
    let outcome = match answer.outcome {
        EventStatus::Failed => EventStatus::NeedsReview,
        outcome => outcome,
    };
    let message = Some(message);
    HttpResponse::Ok().json(Answer { success, outcome, message, ..answer.clone() })
}

async fn find(shared: &Shared, tenant: Uuid, id: Uuid) -> storage::Result<Option<BookingRow>> {
    let mut reader = shared.db.reader().await?;
    bookings::find(&mut reader.conn(), tenant, id).await
}

/// How the booking stands now, for the agent to say it back.
fn done(tenant: &TenantSettings, row: &BookingRow) -> String {
    let at = row.booking_at.with_timezone(&tenant.timezone).format("%A %-d %B %Y at %H:%M");
    let state = match row.status.parse() {
        Ok(BookingStatus::Cancelled) => "cancelled",
        Ok(BookingStatus::Completed) => "completed",
        Ok(BookingStatus::NoShow) => "marked as missed",
        _ => "recorded",
    };
    format!("The booking of {} on {at} is {state}.", row.service_name)
}

/// What to ask the customer for, so that the next call of the function can do it.
fn not_done(answer: &Answer) -> String {
    match answer.outcome {
        EventStatus::Queued => {
            return "It is written down and will be recorded in a moment.".to_owned();
        }
        EventStatus::Ignored => return "This made, changed and cancelled no booking.".to_owned(),
        _ => {}
    }
    let mut asks: Vec<&str> = Vec::new();
    for ask in answer.problems.iter().filter_map(ask) {
        if !asks.contains(&ask) {
            asks.push(ask);
        }
    }
    if asks.is_empty() {
        let kept = "Tell the customer that it is written down and that somebody will be in touch.";
        return format!("It is not done yet. {kept}");
    }
    format!("It is not done yet. Ask the customer for {}; then try again.", list(&asks))
}

/// What the customer can say that would solve a problem; `None` for what only a person can.
fn ask(problem: &Problem) -> Option<&'static str> {
    match problem.code.as_str() {
        "booking_unknown" | "several_bookings" | "booking_unnamed" => {
            return Some("the day and time of the booking that is meant");
        }
        "phone_missing" => return Some("a phone number"),
        _ => {}
    }
    match problem.field.as_deref()? {
        "customerPhone" | "whatsappId" => Some("the phone number again, digit by digit"),
        "serviceName" => Some("the service"),
        "appointmentDateTime" => Some("the day and the exact time"),
        "previousAppointmentDateTime" => Some("the day and time the booking had before"),
        "email" => Some("the e-mail address again, letter by letter"),
        "duration" => Some("the length in minutes"),
        "price" | "currency" => Some("the price"),
        "staffMember" => Some("the name of the member of staff"),
        "firstName" | "lastName" => Some("the name"),
        _ => None,
    }
}

/// `a, b and c`.
fn list(items: &[&str]) -> String {
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => (*last).to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(problems: &[(&str, &str)]) -> String {
        let mut answer = Answer::new(EventStatus::NeedsReview, None);
        let problem = |(code, field): &(&str, &str)| Problem::at("", code, "", field, None);
        answer.set_problems(&problems.iter().map(problem).collect::<Vec<_>>());
        not_done(&answer)
    }

    #[test]
    fn what_is_missing_is_asked_for_once() {
        assert_eq!(
            lacking(&[
                ("service_missing", "serviceName"),
                ("start_unreadable", "appointmentDateTime"),
                ("start_missing", "appointmentDateTime"),
                ("phone_missing", "customerPhone"),
            ]),
            "It is not done yet. Ask the customer for the service, the day and the exact time and \
             a phone number; then try again."
        );
        assert!(lacking(&[("phone_invalid", "customerPhone")]).contains("digit by digit"));
    }

    #[test]
    fn what_no_customer_can_answer_is_not_asked() {
        for code in ["storing_failed", "tenant_unknown", "tenant_mismatch", "account_unknown"] {
            assert!(lacking(&[(code, "")]).contains("somebody will be in touch"), "{code}");
        }
    }
}
