//! Whose each event of a verified delivery is.

use super::can_correct;
use super::directory::{Connection, Directory};
use super::intake::{Incoming, Refusal};
use super::vouch::Voucher;
use crate::domain::tenant::TenantSettings;
use crate::sources::Item;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// Whose an event is.
pub(super) enum Route {
    /// A tenant's, by a connection.
    Tenant(Arc<TenantSettings>, Option<Uuid>),
    /// A tenant's, to be looked at by a person: code and sentence.
    Held(Arc<TenantSettings>, Option<Uuid>, String, String),
    /// Nobody's: the platform's inbox.
    Inbox(Option<Uuid>),
    /// Another's: not written, and no more said.
    Ignored,
}

/// Whose an event is, by what vouches for it. An event goes to a tenant only by a connection that
/// the credential is good for and that owns the event's account there.
pub(super) fn route(
    directory: &Directory,
    voucher: &Voucher<'_>,
    incoming: &Incoming,
    item: &Item,
) -> Result<Route, Refusal> {
    match voucher {
        Voucher::Token { tenant, connection } => {
            let connection = connection.map(|c| c.id);
            let tenant = named_tenant(directory, *tenant, item.tenant.as_deref())?;
            Ok(Route::Tenant(tenant, connection))
        }
        Voucher::Secret(live) if can_correct(incoming.source) => {
            let connection = by_tenant(directory, live, item.tenant.as_deref());
            let connection = connection.ok_or(Refusal::Forbidden)?;
            let tenant = named_tenant(directory, connection.tenant, item.tenant.as_deref())?;
            Ok(Route::Tenant(tenant, Some(connection.id)))
        }
        Voucher::Secret(live) => Ok(by_account(directory, live, incoming, item)),
    }
}

/// Of the connections that a caller's secret is live on, the one for the tenant that it names.
fn by_tenant<'a>(
    directory: &Directory,
    live: &[&'a Connection],
    named: Option<&str>,
) -> Option<&'a Connection> {
    let wanted = named.and_then(|name| directory.tenant_named(name)).map(|t| t.id);
    let fits = |c: &&&Connection| match (c.tenant, named) {
        (None, _) | (Some(_), None) => true,
        (Some(own), Some(_)) => Some(own) == wanted,
    };
    live.iter().find(fits).copied()
}

/// The tenant of a credential that is for one, or the one that the body names for a platform's.
fn named_tenant(
    directory: &Directory,
    own: Option<Uuid>,
    named: Option<&str>,
) -> Result<Arc<TenantSettings>, Refusal> {
    let found = match (own, named) {
        (Some(own), None) => directory.tenant(own),
        (Some(own), Some(name)) => {
            let tenant = directory.tenant(own).filter(|t| t.is_named(name));
            return tenant.cloned().ok_or(Refusal::Forbidden);
        }
        (None, Some(name)) => directory.tenant_named(name),
        (None, None) => None,
    };
    // A tenant's credential whose tenant is disabled is as good as none.
    let missing = if own.is_some() { Refusal::Unauthorized } else { Refusal::TenantUnknown };
    found.cloned().ok_or(missing)
}

/// Routes an event of a provider that pushes: by the account that it belongs to.
fn by_account(
    directory: &Directory,
    live: &[&Connection],
    incoming: &Incoming,
    item: &Item,
) -> Route {
    let account = item.account.as_deref();
    let owners = live.iter().filter_map(|c| Some((*c, *c.accounts.get(account?)?)));
    let owners: Vec<(&Connection, Uuid)> = owners.collect();
    if let Some((connection, tenant)) = choose(directory, &owners, item.tenant.as_deref()) {
        return to_tenant(directory, tenant, connection, item);
    }
    if let Some((connection, _)) = owners.first() {
        // Several tenants claim the account, and nothing says which is meant.
        return Route::Inbox(Some(connection.id));
    }
    let Some(first) = live.first() else { return Route::Ignored };
    let claimed = directory
        .of_source(incoming.source.name())
        .any(|c| account.is_some_and(|account| c.accounts.contains_key(account)));
    if claimed {
        return Route::Ignored;
    }
    unowned(directory, first, live, incoming, item)
}

/// True when the secret is good for more than one tenant. It signs no address, so where the body
/// names no account nothing says whose of them it is.
fn serves_several(live: &[&Connection]) -> bool {
    let of = |c: &&Connection| c.accounts.values().copied().chain(c.tenant).collect::<Vec<_>>();
    let tenants: BTreeSet<Uuid> = live.iter().flat_map(of).collect();
    tenants.len() > 1 || live.iter().any(|c| c.tenant.is_none())
}

/// True when a connection takes an account that it was not given: one without any account ids,
/// and a function whose arguments come alone, and name no account.
fn takes_any(connection: &Connection, incoming: &Incoming, item: &Item) -> bool {
    connection.accounts.is_empty() || (item.account.is_none() && incoming.function.is_some())
}

/// An account that no connection has: the addressed connection's tenant when it takes any
/// account, the tenant that the body names on a platform connection, else nobody's.
fn unowned(
    directory: &Directory,
    connection: &Connection,
    live: &[&Connection],
    incoming: &Incoming,
    item: &Item,
) -> Route {
    let addressed = incoming.connection.as_deref() == Some(connection.public_id.as_str());
    match connection.tenant {
        None => match item.tenant.as_deref().and_then(|name| directory.tenant_named(name)) {
            Some(tenant) => Route::Tenant(Arc::clone(tenant), Some(connection.id)),
            None => Route::Inbox(Some(connection.id)),
        },
        Some(_) if addressed && item.account.is_none() && serves_several(live) => {
            Route::Inbox(Some(connection.id))
        }
        Some(tenant) if addressed && takes_any(connection, incoming, item) => {
            to_tenant(directory, tenant, connection, item)
        }
        Some(tenant) if addressed && !incoming.source.batches() => {
            let detail = "the connection has account ids, and this one is not among them";
            held(directory, tenant, connection, "account_unknown", detail)
        }
        Some(_) => Route::Ignored,
    }
}

/// Of the tenants that own an account, the only one, or the one that the body names.
fn choose<'a>(
    directory: &Directory,
    owners: &[(&'a Connection, Uuid)],
    named: Option<&str>,
) -> Option<(&'a Connection, Uuid)> {
    let (first, others) = owners.split_first()?;
    if others.iter().all(|(_, tenant)| *tenant == first.1) {
        return Some(*first);
    }
    let wanted = named.and_then(|name| directory.tenant_named(name))?.id;
    owners.iter().find(|(_, tenant)| *tenant == wanted).copied()
}

/// A tenant's event; held for a person when the body names another tenant that we know.
fn to_tenant(directory: &Directory, tenant: Uuid, connection: &Connection, item: &Item) -> Route {
    let named = item.tenant.as_deref().and_then(|name| directory.tenant_named(name));
    if named.is_some_and(|other| other.id != tenant) {
        let detail = "the body names another tenant than the one its account belongs to";
        return held(directory, tenant, connection, "tenant_mismatch", detail);
    }
    match directory.tenant(tenant) {
        Some(settings) => Route::Tenant(Arc::clone(settings), Some(connection.id)),
        None => Route::Ignored,
    }
}

/// A tenant's event that a person has to look at, and why.
fn held(
    directory: &Directory,
    tenant: Uuid,
    connection: &Connection,
    code: &str,
    detail: &str,
) -> Route {
    match directory.tenant(tenant) {
        Some(settings) => Route::Held(
            Arc::clone(settings),
            Some(connection.id),
            code.to_owned(),
            detail.to_owned(),
        ),
        None => Route::Ignored,
    }
}

/// The one tenant that a voucher can mean, if there is just one.
pub(super) fn sole_tenant(
    directory: &Directory,
    voucher: &Voucher<'_>,
) -> Option<Arc<TenantSettings>> {
    let id = match voucher {
        Voucher::Token { tenant, .. } => (*tenant)?,
        Voucher::Secret(live) => live.first()?.tenant?,
    };
    directory.tenant(id).cloned()
}
