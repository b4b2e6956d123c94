//! Bodies as the sources send them, for tests that vary one thing of them.

use serde_json::{Value, json};

/// One message of a WhatsApp delivery, and the number of the business that it came to.
pub(crate) struct Said {
    /// The business's `phone_number_id`.
    pub(crate) to: &'static str,
    /// The message.
    pub(crate) message: Value,
}

/// A filled-in booking form.
pub(crate) fn form(
    to: &'static str,
    id: &str,
    from: &str,
    service: &str,
    at: (&str, &str),
) -> Said {
    let (date, time) = at;
    let filled = json!({
        "flow_token": "booking-form-1", "service_name": service, "date": date, "time": time,
        "name": "Aoife Kavanagh",
    });
    let message = json!({
        "from": from, "id": id, "timestamp": "1773051302", "type": "interactive",
        "interactive": {"type": "nfm_reply", "nfm_reply": {
            "name": "flow", "body": "Sent", "response_json": filled.to_string(),
        }},
    });
    Said { to, message }
}

/// A plain text.
pub(crate) fn text(to: &'static str, id: &str, from: &str, words: &str) -> Said {
    let message = json!({
        "from": from, "id": id, "timestamp": "1773051302", "type": "text",
        "text": {"body": words},
    });
    Said { to, message }
}

/// A WhatsApp delivery of these messages, each in an entry of its own.
pub(crate) fn whatsapp(said: &[Said]) -> Vec<u8> {
    let entries: Vec<Value> = said.iter().map(entry).collect();
    json!({"object": "whatsapp_business_account", "entry": entries}).to_string().into_bytes()
}

fn entry(said: &Said) -> Value {
    let from = said.message["from"].clone();
    json!({"id": "102290129340398", "changes": [{"field": "messages", "value": {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "35315550100", "phone_number_id": said.to},
        "contacts": [{"profile": {"name": "Aoife K"}, "wa_id": from}],
        "messages": [said.message],
    }}]})
}

/// What the chat widget posts.
pub(crate) fn chat(phone: &str, service: &str, start: &str) -> Value {
    json!({"phone": phone, "name": "Ciara Byrne", "service": service, "dateTime": start})
}
