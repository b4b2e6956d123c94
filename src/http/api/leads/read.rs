//! What a body says of a lead.

use crate::domain::channel::{Channel, InteractionKind, LeadStatus};
use crate::domain::ids;
use crate::domain::person::{Identity, WhatsAppId};
use crate::domain::tenant::TenantSettings;
use crate::http::extract::fields::{Fields, Patch};
use crate::http::problem::Problem;
use crate::storage::lead_records::LeadRecord;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How long `details` may be as JSON.
const DETAILS: usize = 8000;

/// A lead to be made: with a phone, a WhatsApp id, or both.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewLead)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(super) struct NewLeadJson {
    /// In any spelling; without a country code it is the tenant's region's.
    #[schema(max_length = 100, example = "087 123 4567")]
    phone: Option<String>,
    /// A WhatsApp business-scoped user id.
    #[schema(
        pattern = r"^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$",
        example = "IE.40817263554098123008"
    )]
    whatsapp_id: Option<String>,
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x01-\x1f\x7f-\x9f]*[^\s\x01-\x1f\x7f-\x9f][^\x01-\x1f\x7f-\x9f]*$",
        example = "Aoife"
    )]
    first_name: Option<String>,
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x01-\x1f\x7f-\x9f]*[^\s\x01-\x1f\x7f-\x9f][^\x01-\x1f\x7f-\x9f]*$",
        example = "Byrne"
    )]
    last_name: Option<String>,
    #[schema(max_length = 254, format = "email", example = "aoife@example.com")]
    email: Option<String>,
    /// How they asked.
    source: Channel,
    /// `new` where it is left out; `converted` is what `convert` makes.
    status: Option<SettableStatus>,
    #[schema(min_length = 1, max_length = 5000, pattern = r"\S")]
    notes: Option<String>,
    /// Where they came from.
    details: Option<BTreeMap<String, Value>>,
    /// When somebody is to get in touch; without an offset it is in the tenant's zone.
    #[schema(example = "2026-03-14T09:00:00Z")]
    next_follow_up_at: Option<DateTime<Utc>>,
}

/// The states that a person sets.
#[derive(Deserialize, ToSchema)]
#[schema(as = SettableLeadStatus)]
#[serde(rename_all = "snake_case")]
enum SettableStatus {
    New,
    Contacted,
    Qualified,
    Lost,
}

/// What is to be changed of a lead.
#[derive(Deserialize, ToSchema)]
#[schema(as = LeadPatch)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(super) struct LeadPatchJson {
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x01-\x1f\x7f-\x9f]*[^\s\x01-\x1f\x7f-\x9f][^\x01-\x1f\x7f-\x9f]*$"
    )]
    first_name: Option<String>,
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x01-\x1f\x7f-\x9f]*[^\s\x01-\x1f\x7f-\x9f][^\x01-\x1f\x7f-\x9f]*$"
    )]
    last_name: Option<String>,
    #[schema(max_length = 254, format = "email")]
    email: Option<String>,
    /// How they asked.
    #[schema(required = false)]
    source: Channel,
    /// `converted` is what `convert` makes.
    #[schema(required = false)]
    status: SettableStatus,
    #[schema(min_length = 1, max_length = 5000, pattern = r"\S")]
    notes: Option<String>,
    /// Where they came from.
    details: Option<BTreeMap<String, Value>>,
    /// When somebody is to get in touch; without an offset it is in the tenant's zone.
    next_follow_up_at: Option<DateTime<Utc>>,
    /// How often somebody called them, where that was counted wrongly.
    #[schema(minimum = 0, maximum = 1_000_000, required = false)]
    attempts: i64,
}

/// Something that was said.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewInteraction)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(super) struct NewInteractionJson {
    /// A call counts as an attempt; everything but a note as contact.
    kind: InteractionKind,
    /// What was said; a note has one.
    #[schema(min_length = 1, max_length = 5000, pattern = r"\S")]
    note: Option<String>,
}

/// Reads a new lead and its identities.
pub(super) fn lead(
    mut fields: Fields,
    tenant: &TenantSettings,
    now: DateTime<Utc>,
) -> Result<(LeadRecord, Vec<Identity>), Problem> {
    let phone = fields.phone("phone", tenant.default_region);
    let whatsapp = fields.whatsapp_id("whatsappId");
    let sent = fields.is_there("phone") || fields.is_there("whatsappId");
    if !sent {
        fields.fault("phone", "required", "phone or whatsappId is required");
    }
    fields.require("source");
    let source = fields.word::<Channel>("source").value();
    let status = status(&mut fields).value();
    let names = [fields.name("firstName"), fields.name("lastName"), fields.email("email")];
    let [first_name, last_name, email] = names.map(Patch::value);
    let notes = fields.text("notes", 5000).value();
    let details = details(&mut fields).value();
    let next_follow_up_at = fields.time("nextFollowUpAt", tenant).value();
    fields.finish()?;
    let incomplete = || Problem::internal(&"a body without a fault is incomplete");
    let (phone, whatsapp) = (phone.value(), whatsapp.value());
    let row = LeadRecord {
        id: ids::new(now),
        phone: phone.as_ref().map(|phone| phone.as_str().to_owned()),
        whatsapp_id: whatsapp.as_ref().map(|id: &WhatsAppId| id.as_str().to_owned()),
        first_name,
        last_name,
        email,
        source: source.ok_or_else(incomplete)?.as_str().to_owned(),
        details,
        status: status.unwrap_or(LeadStatus::New).as_str().to_owned(),
        interactions: 0,
        attempts: 0,
        last_contacted_at: None,
        next_follow_up_at,
        converted_client_id: None,
        converted_at: None,
        notes,
        first_interaction_at: now,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let identities = phone.map(Identity::Phone).into_iter();
    Ok((row, identities.chain(whatsapp.map(Identity::WhatsApp)).collect()))
}

/// What is set of a lead.
pub(super) struct Changes {
    first_name: Patch<String>,
    last_name: Patch<String>,
    email: Patch<String>,
    source: Option<Channel>,
    pub(super) status: Option<LeadStatus>,
    notes: Patch<String>,
    details: Patch<String>,
    next_follow_up_at: Patch<DateTime<Utc>>,
    attempts: Option<i64>,
    /// Names of the members that were sent.
    pub(super) names: Vec<String>,
}

/// Reads a change of a lead.
pub(super) fn changes(mut fields: Fields, tenant: &TenantSettings) -> Result<Changes, Problem> {
    let names = fields.names();
    let source = fields.word::<Channel>("source");
    let status = status(&mut fields);
    let attempts = fields.integer("attempts", 0..=1_000_000);
    let changes = Changes {
        first_name: fields.name("firstName"),
        last_name: fields.name("lastName"),
        email: fields.email("email"),
        source: fields.full("source", source),
        status: fields.full("status", status),
        notes: fields.text("notes", 5000),
        details: details(&mut fields),
        next_follow_up_at: fields.time("nextFollowUpAt", tenant),
        attempts: fields.full("attempts", attempts),
        names,
    };
    fields.finish()?;
    Ok(changes)
}

impl Changes {
    /// Lays them over a row.
    pub(super) fn lay(self, row: &mut LeadRecord) {
        self.first_name.apply(&mut row.first_name);
        self.last_name.apply(&mut row.last_name);
        self.email.apply(&mut row.email);
        self.notes.apply(&mut row.notes);
        self.details.apply(&mut row.details);
        self.next_follow_up_at.apply(&mut row.next_follow_up_at);
        if let Some(source) = self.source {
            source.as_str().clone_into(&mut row.source);
        }
        if let Some(status) = self.status {
            status.as_str().clone_into(&mut row.status);
        }
        row.attempts = self.attempts.unwrap_or(row.attempts);
    }
}

/// Reads what was said, and how.
pub(super) fn interaction(
    mut fields: Fields,
) -> Result<(InteractionKind, Option<String>), Problem> {
    fields.require("kind");
    let kind = fields.word::<InteractionKind>("kind").value();
    if kind == Some(InteractionKind::Note) {
        fields.require("note");
    }
    let note = fields.text("note", 5000).value();
    fields.finish()?;
    Ok((kind.unwrap_or(InteractionKind::Note), note))
}

/// A state that a person may set.
fn status(fields: &mut Fields) -> Patch<LeadStatus> {
    let read = fields.word::<LeadStatus>("status");
    if read == Patch::Value(LeadStatus::Converted) {
        let detail = "a lead becomes a client by POST …/leads/{id}/convert";
        fields.fault("status", "status_not_settable", detail);
    }
    read
}

/// An object of bounded length, as JSON.
fn details(fields: &mut Fields) -> Patch<String> {
    let read = fields
        .object("details")
        .map(|object: Map<String, Value>| Value::Object(object).to_string());
    if matches!(&read, Patch::Value(text) if text.len() > DETAILS) {
        let detail = format!("details has at most {DETAILS} bytes");
        fields.fault("details", "object_too_large", &detail);
    }
    read
}
