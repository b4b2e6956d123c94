//! What vouches for a delivery: a secret that its signature verifies under, or a token.

use super::directory::{Connection, Directory, distinct_secrets};
use super::intake::{Incoming, Refusal};
use crate::auth::Permission;
use crate::sources::{Checked, Delivery};
use uuid::Uuid;

/// The most distinct secrets that one delivery is tried with.
const MOST_SECRETS: usize = 16;

/// What vouches for a delivery.
pub(super) enum Voucher<'a> {
    /// A secret: every connection of the source on which it is live, the addressed one first.
    Secret(Vec<&'a Connection>),
    /// A token, and the connection that the address names.
    Token { tenant: Option<Uuid>, connection: Option<&'a Connection> },
}

impl Voucher<'_> {
    /// The connection to note on an event whose own is not known.
    pub(super) fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Secret(connections) => connections.first().copied(),
            Self::Token { connection, .. } => *connection,
        }
    }
}

/// Finds what vouches for a delivery. A signature that is there must verify: a token beside it is
/// not looked at.
pub(super) fn vouch<'a>(
    directory: &'a Directory,
    incoming: &Incoming,
) -> Result<Voucher<'a>, Refusal> {
    let source = incoming.source;
    if source.is_signed(&incoming.headers) {
        return verify(directory, incoming);
    }
    let Some(access) = incoming.access.as_ref().filter(|_| source.takes_tokens()) else {
        return Err(Refusal::Unauthorized);
    };
    if !access.may(Permission::Deliver) {
        return Err(Refusal::Forbidden);
    }
    let connection = match &incoming.connection {
        None => None,
        Some(id) => {
            let named = directory.of_source(source.name()).find(|c| c.public_id == *id);
            let named = named.ok_or(Refusal::Unauthorized)?;
            if named.tenant.is_some_and(|tenant| !access.reaches(tenant)) {
                return Err(Refusal::Unauthorized);
            }
            Some(named)
        }
    };
    let tenant = access.tenant().or(connection.and_then(|c| c.tenant));
    Ok(Voucher::Token { tenant, connection })
}

/// Tries the secrets of the connections that may have signed it.
fn verify<'a>(directory: &'a Directory, incoming: &Incoming) -> Result<Voucher<'a>, Refusal> {
    let (source, now) = (incoming.source, incoming.received_at);
    let candidates = candidates(directory, incoming)?;
    let delivery = Delivery { body: &incoming.body, headers: &incoming.headers, received_at: now };
    let secrets = distinct_secrets(candidates.iter().copied(), now, MOST_SECRETS);
    let verified = secrets.into_iter().find(|s| source.verify(s, &delivery) == Checked::Verified);
    let secret = verified.ok_or(Refusal::Unauthorized)?;
    let has = |c: &&Connection| c.signing(now).any(|own| own == secret);
    let mut live: Vec<&Connection> = directory.of_source(source.name()).filter(has).collect();
    // The connection that the address names, then those that serve one tenant, then the platform's.
    let named = incoming.connection.as_deref();
    live.sort_by_key(|c| (named != Some(c.public_id.as_str()), c.tenant.is_none()));
    Ok(Voucher::Secret(live))
}

/// The connections whose secrets are to be tried: the one that the address names, or those that
/// own what the body names. What the body says is believed for nothing else.
fn candidates<'a>(
    directory: &'a Directory,
    incoming: &Incoming,
) -> Result<Vec<&'a Connection>, Refusal> {
    let of_source = || directory.of_source(incoming.source.name());
    if let Some(id) = &incoming.connection {
        return Ok(of_source().filter(|c| c.public_id == *id).collect());
    }
    let hints = incoming.source.hints(&incoming.body);
    if incoming.source.takes_tokens() && hints.tenant.is_none() {
        return Err(Refusal::NoConnection);
    }
    let tenant = hints.tenant.as_deref().and_then(|name| directory.tenant_named(name));
    let owns = |c: &&Connection| {
        hints.accounts.iter().any(|account| c.accounts.contains_key(account))
            || (incoming.source.takes_tokens()
                && c.tenant.is_some()
                && c.tenant == tenant.map(|t| t.id))
    };
    let platform = of_source().filter(|c| c.tenant.is_none());
    let mut candidates: Vec<&Connection> = of_source().filter(owns).collect();
    candidates.extend(platform);
    Ok(candidates)
}
