//! Reading a draft: every value by its ladder, every problem noted.

use super::aliases::Field;
use super::draft::{Draft, Found, StartFound};
use super::understood::{Told, Understood};
use super::values::{MOST_KEPT, Raw, email, is_anyone, minutes, normalise};
use crate::domain::booking::{ExternalBooking, ExternalClient};
use crate::domain::channel::{Channel, PaymentStatus};
use crate::domain::money::{Currency, Money};
use crate::domain::person::WhatsAppId;
use crate::domain::phone::Phone;
use crate::domain::problem::Problem;
use crate::domain::tenant::TenantSettings;
use crate::domain::when::{Calendar, NotATime};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// How the values of a draft are read.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Whose booking it is.
    pub tenant: &'a TenantSettings,
    /// When it was told: what "tomorrow" counts from.
    pub told_at: Option<DateTime<Utc>>,
    /// True for a program's own post (chat, n8n), whose words are a contract: an unknown status
    /// is a mistake there, and a booking id is labelled. What people and language models fill in
    /// is read more kindly, and their references are never labelled.
    pub contract: bool,
    /// The channel where none is told; without one it must be told.
    pub channel: Option<Channel>,
    /// The line or the account that the words came from.
    pub sender: Option<&'a Sender>,
    /// Whose a reference is that comes without a name, where the connection's field map says so.
    pub provider: Option<&'a str>,
}

/// Who called or sent, as the source knows it apart from what was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The number of the line or the account.
    pub phone: Option<Phone>,
    /// The WhatsApp id.
    pub whatsapp_id: Option<WhatsAppId>,
    /// The name that the person chose there.
    pub profile_name: Option<String>,
}

impl Draft {
    /// Reads everything, and notes every problem of a value that is there.
    #[must_use]
    pub fn read(&self, rules: &Rules<'_>) -> Understood {
        let mut reader = Reader { draft: self, rules, problems: Vec::new() };
        reader.unknown_names();
        let phone = reader.phone();
        let provider = reader.provider();
        let understood = Understood {
            tenant_id: rules.tenant.id,
            phone,
            whatsapp_id: reader.whatsapp_id(),
            first_name: reader.text(Field::FirstName, NAME),
            last_name: reader.text(Field::LastName, NAME),
            email: reader.email(),
            service: reader.text(Field::Service, NAME),
            reason: reader.text(Field::Reason, NAME),
            category: reader.text(Field::Category, NAME),
            start: reader.start(),
            previous_start: reader.previous_start(),
            duration: reader.duration(),
            staff: reader.staff(),
            price: reader.price(),
            source: reader.source(),
            told: reader.told(),
            payment_status: reader.payment_status(),
            account: reader.account(provider.clone()),
            external_booking: reader.external_booking(provider),
            notes: reader.text(Field::Notes, MOST_KEPT),
            home: self.home.clone(),
            set_by_person: self.by_person.clone(),
            problems: Vec::new(),
            ..Understood::default()
        };
        let problems = reader.problems;
        Understood { problems, ..understood }.completed_by(rules.sender)
    }
}

/// The most characters of a name, a service, a kind.
const NAME: usize = 200;
/// The most characters of somebody else's id.
const ID: usize = 200;
/// The most characters of a provider's name.
const PROVIDER: usize = 64;

struct Reader<'a> {
    draft: &'a Draft,
    rules: &'a Rules<'a>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn found(&self, field: Field) -> Option<Found> {
        let found = self.draft.get(field)?;
        // What a person emptied counts as absent.
        (found.raw != Raw::Text(String::new())).then(|| found.clone())
    }

    fn note(&mut self, field: Field, found: &Found, code: &str, detail: &str) {
        let shown = found.raw.shown();
        let problem = Problem::at(&found.pointer, code, detail, field.name(), shown.as_deref());
        self.problems.push(problem);
    }

    fn unknown_names(&mut self) {
        for name in &self.draft.unknown {
            let detail = "There is no such field to set.";
            self.problems.push(Problem::at("", "field_unknown", detail, name, None));
        }
    }

    /// A value that must be one text, within its bound.
    fn text(&mut self, field: Field, most: usize) -> Option<String> {
        let found = self.found(field)?;
        let Some(text) = found.raw.text() else {
            let detail = "It is not one text: send a single value.";
            self.note(field, &found, "value_unreadable", detail);
            return None;
        };
        if text.chars().count() > most {
            let detail = format!("It is longer than {most} characters.");
            self.note(field, &found, "text_too_long", &detail);
            return None;
        }
        Some(text.to_owned())
    }

    /// The phone given for this booking. One that can't be read stands in the way only where
    /// the line's or the sender's own can't take its place.
    fn phone(&mut self) -> Option<Phone> {
        let found = self.found(Field::Phone)?;
        let region = self.rules.tenant.default_region;
        let read = found.raw.text().and_then(|text| Phone::parse(text, region).ok());
        let known = |s: &Sender| s.phone.is_some() || s.whatsapp_id.is_some();
        if read.is_none() && (found.is_by_person() || !self.rules.sender.is_some_and(known)) {
            let detail =
                "It is not a valid phone number; send it with its country code, as +353871234567.";
            self.note(Field::Phone, &found, "phone_invalid", detail);
        }
        read
    }

    fn whatsapp_id(&mut self) -> Option<WhatsAppId> {
        let found = self.found(Field::WhatsAppId)?;
        let read = found.raw.text().and_then(WhatsAppId::parse);
        if read.is_none() {
            let detail =
                "It is not a WhatsApp id; send it as Meta does, as IE.40817263554098123001.";
            self.note(Field::WhatsAppId, &found, "whatsapp_id_invalid", detail);
        }
        read
    }

    fn email(&mut self) -> Option<String> {
        let found = self.found(Field::Email)?;
        let read = found.raw.text().and_then(email);
        if read.is_none() {
            let detail =
                "It is not an e-mail address; send it as name@example.com, or leave it out.";
            self.note(Field::Email, &found, "email_invalid", detail);
        }
        read
    }

    fn staff(&mut self) -> Option<String> {
        let anyone = |found: &Found| found.raw.text().is_some_and(is_anyone);
        match self.found(Field::Staff) {
            Some(found) if anyone(&found) => None,
            _ => self.text(Field::Staff, NAME),
        }
    }

    fn duration(&mut self) -> Option<u32> {
        let found = self.found(Field::Duration)?;
        let read = found.raw.text().and_then(minutes);
        if read.is_none() {
            let detail = "It is not a number of minutes from 1 to 1440; send it as 60.";
            self.note(Field::Duration, &found, "duration_unreadable", detail);
        }
        read
    }

    /// The first way of telling the start that can be read; else the problem of the first one
    /// that was told in full.
    fn start(&mut self) -> Option<DateTime<Utc>> {
        let calendar = Calendar::of(self.rules.tenant, self.rules.told_at);
        let mut refused: Option<(&Found, NotATime)> = None;
        for told in &self.draft.starts {
            let (found, read) = match told {
                StartFound::Whole(found) => (found, instant(&calendar, found)),
                StartFound::Apart(date, time) => (time, apart(&calendar, date, time)),
            };
            match read {
                Ok(start) => return Some(start),
                Err(why) => {
                    let half = |why| matches!(why, NotATime::NoClock | NotATime::NoDate);
                    if refused.is_none_or(|(_, first)| half(first) && !half(why)) {
                        refused = Some((found, why));
                    }
                }
            }
        }
        let (found, why) = refused?;
        let found = found.clone();
        self.note(Field::Start, &found, why.code(), &sentence(&why.to_string()));
        None
    }

    fn previous_start(&mut self) -> Option<DateTime<Utc>> {
        let found = self.found(Field::PreviousStart)?;
        let calendar = Calendar::of(self.rules.tenant, self.rules.told_at);
        match instant(&calendar, &found) {
            Ok(start) => Some(start),
            Err(why) => {
                self.note(Field::PreviousStart, &found, why.code(), &sentence(&why.to_string()));
                None
            }
        }
    }

    fn currency(&mut self) -> Option<Currency> {
        let found = self.found(Field::Currency)?;
        let read = found.raw.text().and_then(Currency::parse);
        if read.is_none() {
            let detail = "It is not a currency; send the ISO 4217 code, as EUR.";
            self.note(Field::Currency, &found, "currency_unknown", detail);
        }
        read
    }

    fn price(&mut self) -> Option<Money> {
        let told = self.currency();
        let usual = self.rules.tenant.currency;
        let found = self.found(Field::Price)?;
        let read = match &found.raw {
            Raw::Number(text) => Money::parse_number(text, told.unwrap_or(usual)),
            other => Money::parse(other.text().unwrap_or_default(), told, usual),
        };
        read.map_err(|why| self.note(Field::Price, &found, why.code(), &sentence(&why.to_string())))
            .ok()
    }

    fn source(&mut self) -> Option<Channel> {
        let heard = |found: &Found| self.rules.contract || found.is_by_person();
        let Some(found) = self.found(Field::Source).filter(heard) else {
            return self.rules.channel;
        };
        let word = found.raw.text().map(normalise).unwrap_or_default();
        let read = Channel::ALL.iter().find(|channel| channel.as_str() == word);
        if read.is_none() {
            let detail = "It is not one of voice, web, whatsapp.";
            self.note(Field::Source, &found, "source_unknown", detail);
        }
        read.copied()
    }

    fn told(&mut self) -> Option<Told> {
        let found = self.found(Field::Status)?;
        let read = found.raw.text().and_then(Told::parse);
        if read.is_none() && (self.rules.contract || found.is_by_person()) {
            let detail = "It is not one of pending, confirmed, completed, cancelled, no_show, \
                          rescheduled.";
            self.note(Field::Status, &found, "status_unknown", detail);
        }
        read
    }

    fn payment_status(&mut self) -> Option<PaymentStatus> {
        let found = self.found(Field::PaymentStatus)?;
        let word = found.raw.text().map(normalise).unwrap_or_default();
        let read = match word.as_str() {
            // The last two are words of older callers, who took deposits only.
            "pending" | "awaitingdeposit" | "nopayment" => Some(PaymentStatus::Pending),
            "depositpaid" => Some(PaymentStatus::DepositPaid),
            "paid" => Some(PaymentStatus::Paid),
            "refunded" => Some(PaymentStatus::Refunded),
            _ => None,
        };
        if read.is_none() && (self.rules.contract || found.is_by_person()) {
            let detail = "It is not one of pending, deposit_paid, paid, refunded.";
            self.note(Field::PaymentStatus, &found, "payment_status_unknown", detail);
        }
        read
    }

    /// Whose ids these are, where it was told: `phorest_api` is `phorest`.
    fn provider(&mut self) -> Option<String> {
        self.text(Field::Provider, PROVIDER).as_deref().map(provider_name)
    }

    /// The first of two fields, and whether it was the first that had it.
    fn either(&mut self, first: Field, second: Field) -> Option<(String, bool)> {
        let found = self.text(first, ID).map(|id| (id, true));
        let other = self.text(second, ID).map(|id| (id, false));
        found.or(other)
    }

    fn account(&mut self, provider: Option<String>) -> Option<ExternalClient> {
        let client = self.either(Field::PhorestClient, Field::ExternalClient);
        let business = self.either(Field::PhorestBusiness, Field::Business);
        let branch = self.either(Field::PhorestBranch, Field::Branch);
        let told = self.rules.contract
            || self.is_set(Field::PhorestClient)
            || self.is_set(Field::ExternalClient);
        let (client_id, is_phorest) = client.filter(|(id, _)| told || !may_be_ours(id))?;
        Some(ExternalClient {
            provider: provider.filter(|_| !is_phorest).unwrap_or_else(|| PHOREST.to_owned()),
            client_id,
            business_id: business.map(|(id, _)| id).unwrap_or_default(),
            branch_id: branch.map(|(id, _)| id).unwrap_or_default(),
        })
    }

    fn external_booking(&mut self, provider: Option<String>) -> Option<ExternalBooking> {
        let labelled = self.either(Field::PhorestBooking, Field::ExternalBooking);
        let reference = self.text(Field::Reference, ID);
        let (id, provider) = match (labelled, reference) {
            (Some((id, true)), _) => (id, Some(PHOREST.to_owned())),
            (Some((id, false)), _) => (id, provider.or_else(|| Some(PHOREST.to_owned()))),
            (None, Some(id)) => (id, provider),
            (None, None) => return None,
        };
        // Only a program's own post can say whose a reference is, whoever mapped its fields, or
        // whoever supplied it.
        let set = [Field::PhorestBooking, Field::ExternalBooking, Field::Provider];
        let is_set = set.into_iter().any(|field| self.is_set(field)) && !may_be_ours(&id);
        let told = provider.filter(|_| self.rules.contract || is_set);
        let mapped = self.rules.provider.filter(|_| !may_be_ours(&id)).map(str::to_owned);
        Some(ExternalBooking { provider: told.or(mapped), id })
    }

    fn is_set(&self, field: Field) -> bool {
        self.found(field).is_some_and(|found| found.is_by_person())
    }
}

/// The provider of an id that comes without one.
const PHOREST: &str = "phorest";

/// True for an id of the form of our own: told by an agent or its tool it is what we answered,
/// come back, and no salon system's.
fn may_be_ours(id: &str) -> bool {
    Uuid::try_parse(id).is_ok_and(|id| id.get_version_num() == 7)
}

/// A provider's name without what it may carry: `Phorest_API` is `phorest`.
#[must_use]
pub fn provider_name(text: &str) -> String {
    let name = text.trim().to_lowercase();
    let short = name.strip_suffix("_api").or_else(|| name.strip_suffix("-api"));
    short.unwrap_or(&name).to_owned()
}

fn instant(calendar: &Calendar, found: &Found) -> Result<DateTime<Utc>, NotATime> {
    calendar.instant(found.raw.text().ok_or(NotATime::Unreadable)?)
}

fn apart(calendar: &Calendar, date: &Found, time: &Found) -> Result<DateTime<Utc>, NotATime> {
    let texts = date.raw.text().zip(time.raw.text());
    let (date, time) = texts.ok_or(NotATime::Unreadable)?;
    calendar.together(date, time)
}

/// An error's words as a sentence of their own.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
